//! The programs of a control plane, and how each is told to serve this machine's loopback only.

use super::ControlPlane;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Etcd,
    Apiserver,
    ControllerManager,
    Scheduler,
    /// kwok, which plays the kubelet of the only node.
    Kubelet,
}

/// The controllers that a rollback meets: those of workloads, endpoints, quotas and disruptions.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,endpointslice-controller,\
    serviceaccount-controller,root-ca-certificate-publisher-controller,garbage-collector-controller,\
    namespace-controller,horizontal-pod-autoscaler-controller,disruption-controller,resourcequota-controller";

impl Part {
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kwok",
        }
    }

    /// Sorts so that clients end before their servers: an API server without a store hangs.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::ControllerManager => "1-controller-manager",
            Self::Scheduler => "1-scheduler",
            Self::Kubelet => "1-kubelet",
            Self::Apiserver => "2-apiserver",
            Self::Etcd => "3-etcd",
        }
    }

    pub(super) fn arguments(self, of: &ControlPlane) -> Vec<String> {
        let file = |name: &str| of.folder.join(name).to_string_lossy().into_owned();
        let text = match self {
            Self::Etcd => {
                let (clients, peers) = (format!("http://{}", of.etcd), format!("http://{}", of.peers));
                // Nothing here outlives a power cut.
                format!(
                    "--unsafe-no-fsync --log-level error --data-dir {data}
                    --listen-client-urls {clients} --advertise-client-urls {clients}
                    --listen-peer-urls {peers} --initial-advertise-peer-urls {peers}
                    --initial-cluster default={peers}",
                    data = file("etcd"),
                )
            }
            Self::Apiserver => apiserver(of, file),
            // Without credentials of their own the controllers may do nothing, and don't say so. An
            // autoscaler that looks once a second makes nobody wait for a quarter of a minute.
            Self::ControllerManager => format!(
                "--kubeconfig {kubeconfig} --secure-port 0 --leader-elect=false
                --use-service-account-credentials --root-ca-file {authority} --controllers {CONTROLLERS}
                --horizontal-pod-autoscaler-sync-period 1s",
                kubeconfig = file("controller-manager.kubeconfig"),
                authority = file("authority.crt"),
            ),
            Self::Scheduler => format!(
                "--kubeconfig {kubeconfig} --secure-port 0 --leader-elect=false",
                kubeconfig = file("scheduler.kubeconfig"),
            ),
            Self::Kubelet => format!(
                "--kubeconfig {kubeconfig} --config {stages} --manage-all-nodes --cidr 10.1.0.1/16
                --node-port 0 --node-lease-duration-seconds 0",
                kubeconfig = file("kubelet.kubeconfig"),
                stages = file("pods.yaml"),
            ),
        };
        text.split_whitespace().map(str::to_owned).collect()
    }
}

fn apiserver(of: &ControlPlane, file: impl Fn(&str) -> String) -> String {
    let issuer = "https://kubernetes.default.svc.cluster.local";
    format!(
        "--etcd-servers http://{etcd} --bind-address 127.0.0.1 --advertise-address 127.0.0.1
        --secure-port {port} --tls-cert-file {certificate} --tls-private-key-file {key}
        --client-ca-file {authority} --cert-dir {folder} --authorization-mode RBAC
        --enable-admission-plugins PodSecurity,ValidatingAdmissionPolicy,ResourceQuota
        --service-cluster-ip-range 10.0.0.0/16 --endpoint-reconciler-type none --allow-privileged
        --service-account-issuer {issuer} --api-audiences {issuer}
        --service-account-key-file {public} --service-account-signing-key-file {private}
        --audit-policy-file {policy} --audit-log-path {audit}",
        etcd = of.etcd,
        port = of.apiserver.port(),
        certificate = file("apiserver.crt"),
        key = file("apiserver.key"),
        authority = file("authority.crt"),
        folder = file(""),
        public = file("tokens.pub"),
        private = file("tokens.key"),
        policy = file("audit-policy.json"),
        audit = file("audit.log"),
    )
}
