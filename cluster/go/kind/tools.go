//go:build tools

// Package tools pins what this module builds; nothing imports it.
package tools

import (
	_ "sigs.k8s.io/kind"
)
