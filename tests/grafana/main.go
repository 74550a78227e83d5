// Checks dashboards with Grafana's own types: a field that Grafana doesn't know, or one that it needs and
// that is missing, is an error. Takes paths of files; what is wrong goes to the output, and the status is 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Only what the dashboards use: all types together take several times as long to build. What isn't here
// would be read without a look at its options, so it is refused.
func register() *cog.Runtime {
	runtime := cog.NewRuntime()
	runtime.RegisterPanelcfgVariant(stat.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	return runtime
}

func check(runtime *cog.Runtime, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Without a fault the SDK answers an empty list and not nil, and so leaves the panels out of the result.
	strict := dashboard.Dashboard{}
	if err := strict.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err
	}
	read := dashboard.Dashboard{}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	wrong := []error{read.Validate()}
	for _, entry := range read.Panels {
		panel := entry.Panel
		if panel == nil {
			continue
		}
		if _, known := runtime.ConfigForPanelcfgVariant(panel.Type); !known {
			wrong = append(wrong, fmt.Errorf("panels of type %q are not checked here", panel.Type))
		}
		for _, target := range panel.Targets {
			if kind := target.DataqueryType(); kind != "prometheus" {
				wrong = append(wrong, fmt.Errorf("queries of type %q are not checked here", kind))
			}
		}
	}
	return errors.Join(wrong...)
}

func main() {
	runtime, failed := register(), false
	for _, path := range os.Args[1:] {
		if err := check(runtime, path); err != nil {
			failed = true
			fmt.Printf("%s: %v\n", path, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}
