// CoreDNS with only the plugins that a throw-away cluster uses: it builds several times faster than the full one.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"

	"github.com/coredns/coredns/coremain"
)

func init() {
	dnsserver.Directives = []string{
		// The order in which a query passes the plugins: what the cluster does not know, template refuses.
		"reload", "errors", "health", "ready", "cache", "kubernetes", "template", "loop", "forward",
	}
}

func main() { coremain.Run() }
