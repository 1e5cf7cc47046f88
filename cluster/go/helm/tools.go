//go:build tools

// Package tools pins what this module builds; nothing imports it.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
