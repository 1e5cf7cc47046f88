//go:build tools

// Package tools pins what this module builds; nothing imports it.
package tools

import (
	_ "github.com/containernetworking/plugins/plugins/meta/bandwidth"
)
