//! Which version is on canary: read off the Deployment's pod template, which is what runs.

use k8s_openapi::api::apps::v1::Deployment;

use crate::config::RevisionSource;
use crate::incident::Revision;

/// The version, or `None` where the Deployment doesn't say it in that place.
pub(super) fn revision(deployment: &Deployment, source: &RevisionSource) -> Option<Revision> {
    let template = &deployment.spec.as_ref()?.template;
    let text = match source {
        RevisionSource::ImageTag => tag(template.spec.as_ref()?.containers.first()?.image.as_deref()?),
        RevisionSource::ImageTagOf(name) => {
            let container = template.spec.as_ref()?.containers.iter().find(|one| one.name == *name)?;
            tag(container.image.as_deref()?)
        }
        RevisionSource::Label(name) => {
            let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
            let of_pods = labels.and_then(|labels| labels.get(name));
            let own = || deployment.metadata.labels.as_ref().and_then(|labels| labels.get(name));
            of_pods.or_else(own)?
        }
    };
    (!text.is_empty()).then(|| Revision::new(text))
}

/// The tag of an image. One that is named by digest alone is that version, and one without either is
/// whatever was pulled last. A port has a colon, too: `registry:5000/api`.
fn tag(image: &str) -> &str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    match (last.split_once(':'), digest) {
        (Some((_, tag)), _) => tag,
        (None, Some(digest)) => digest,
        (None, None) => "latest",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_images_tag_is_the_version_and_a_registrys_port_is_not() {
        for (image, expected) in [
            ("spark-trading:v1.4.0", "v1.4.0"),
            ("registry:5000/team/spark-trading:v1.4.0", "v1.4.0"),
            ("registry:5000/spark-trading", "latest"),
            ("spark-trading", "latest"),
            ("registry:5000/api:v1@sha256:0123", "v1"),
            ("registry:5000/api@sha256:0123", "sha256:0123"),
        ] {
            assert_eq!(tag(image), expected, "{image}");
        }
    }

    #[test]
    fn the_place_is_the_first_container_a_named_one_or_a_label() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": { "labels": { "version": "of-the-deployment", "team": "spark" } },
            "spec": { "selector": {}, "template": {
                "metadata": { "labels": { "version": "v1.4.0" } },
                "spec": { "containers": [{ "name": "api", "image": "api:v1" }, { "name": "proxy", "image": "proxy:v9" }] },
            } },
        }))
        .expect("a Deployment");
        let label = |name: &str| RevisionSource::Label(name.to_owned());
        let of = |name: &str| RevisionSource::ImageTagOf(name.to_owned());
        for (source, expected) in [
            (RevisionSource::ImageTag, Some("v1")),
            (of("proxy"), Some("v9")),
            (of("gone"), None),
            (label("version"), Some("v1.4.0")),
            (label("team"), Some("spark")),
            (label("gone"), None),
        ] {
            let found = revision(&deployment, &source);
            assert_eq!(found.as_ref().map(Revision::as_str), expected, "{source:?}");
        }
        assert_eq!(revision(&Deployment::default(), &RevisionSource::ImageTag), None);
    }
}
