// The store of the control plane, as released: a distribution's may be too old for Kubernetes' watches.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
