// Command egress-gateway is the accounts' only way out: smokescreen, a forward proxy that refuses private
// addresses, with the platform's own idea of who asks and of where they may go.
//
// An account's user is `exchange.environment.issued.namespace.name`, its password the HMAC of that with the gateway's
// key, so that no gateway keeps a list of accounts: all that it reads is the key, the catalogue's hosts and, of accounts
// whose password leaked, until when what was issued is refused (see withdrawal.go). What bites:
// smokescreen would also forward plain HTTP, whose requests it could read; only CONNECT is let through to it.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stripe/smokescreen/pkg/smokescreen"
	acl "github.com/stripe/smokescreen/pkg/smokescreen/acl/v1"
	"github.com/stripe/smokescreen/pkg/smokescreen/conntrack"
	"github.com/stripe/smokescreen/pkg/smokescreen/hostport"
)

const (
	// Streams ping every second; what is silent for so long belongs to nobody.
	idle = 5 * time.Minute
	// What is open when a gateway ends is closed after this; its accounts go on over another one.
	farewell = 5 * time.Second
)

// hosts is `exchange.environment` -> `host:port` that its accounts may connect to.
type hosts map[string][]string

func main() {
	listen := flag.String("listen", ":4750", "address to serve")
	keyFile := flag.String("key", "/etc/smarttrade/gateway/key", "file with the key of the accounts' passwords")
	hostsFile := flag.String("hosts", "/etc/smarttrade/hosts/hosts.json", "file with the catalogue's hosts")
	withdrawnFile := flag.String("withdrawn", "", "file with the accounts whose passwords are withdrawn, and until when")
	private := flag.String("allow-private", "", "private networks that hold catalogued hosts, separated by commas")
	flag.Parse()

	config := smokescreen.NewConfig()
	config.Log.SetLevel(logrus.WarnLevel)
	key, err := os.ReadFile(*keyFile)
	stopIf(err)
	key = bytes.TrimSpace(key)
	if len(key) < sha256.Size {
		stopIf(errors.New("the key is too short: it must have at least 32 bytes"))
	}
	content, err := os.ReadFile(*hostsFile)
	stopIf(err)
	var catalogued hosts
	stopIf(json.Unmarshal(content, &catalogued))
	if *private != "" {
		stopIf(config.SetAllowRanges(strings.Split(*private, ",")))
	}

	admitted := newAdmission()
	if *withdrawnFile != "" {
		go admitted.follow(*withdrawnFile)
	}
	config.RoleFromRequest = func(request *http.Request) (string, error) { return identify(key, admitted, request) }
	config.EgressACL = catalogued
	config.IdleTimeout = idle
	config.ConnTracker = conntrack.NewTracker(idle, config.MetricsClient, config.Log, config.ShuttingDown, nil)
	config.ShuttingDown.Store(false)
	listener, err := net.Listen("tcp", *listen)
	stopIf(err)
	serve(told{listener, admitted}, onlyConnect(smokescreen.BuildProxy(config)))
}

func serve(listener net.Listener, handler http.Handler) {
	server := http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idle, ConnContext: withConnection,
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		_ = listener.Close()
		time.Sleep(farewell)
		os.Exit(0)
	}()
	if err := server.Serve(listener); !errors.Is(err, net.ErrClosed) {
		stopIf(err)
	}
	select {}
}

// onlyConnect answers the probe and lets nothing but CONNECT through.
func onlyConnect(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		switch {
		case request.Method == http.MethodConnect:
			// The account's other words are not smokescreen's business, and not the next proxy's.
			credentials := request.Header.Get("Proxy-Authorization")
			request.Header = http.Header{"Proxy-Authorization": {credentials}}
			proxy.ServeHTTP(answer, request)
		case request.URL.Host == "" && request.URL.Path == "/readyz":
			answer.WriteHeader(http.StatusOK)
		default:
			http.Error(answer, "only CONNECT is served here", http.StatusMethodNotAllowed)
		}
	})
}

// identify gives the role of the account whose credentials the request carries.
func identify(key []byte, admitted *admission, request *http.Request) (string, error) {
	given := http.Request{Header: http.Header{"Authorization": request.Header["Proxy-Authorization"]}}
	name, password, ok := given.BasicAuth()
	if !ok {
		return "", smokescreen.MissingRoleError("no credentials")
	}
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(name))
	expected := base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	who, err := parseUser(name)
	if !hmac.Equal([]byte(expected), []byte(password)) || err != nil {
		return "", errors.New("wrong credentials")
	}
	return who.role, admitted.admit(who, connectionOf(request))
}

// Decide admits exactly the hosts and ports of the account's exchange.
func (catalogued hosts) Decide(args acl.DecideArgs) (acl.Decision, error) {
	refused := acl.Decision{Result: acl.Deny, Project: "smarttrade", Reason: "not a catalogued host of " + args.Service}
	if args.Req == nil || args.ConnectProxyHost != "" {
		return refused, nil
	}
	wanted, err := hostport.New(args.Req.Host, false)
	if err != nil {
		return refused, nil
	}
	for _, host := range catalogued[args.Service] {
		if host == wanted.String() {
			return acl.Decision{Result: acl.Allow, Project: "smarttrade", Reason: "catalogued"}, nil
		}
	}
	return refused, nil
}

func stopIf(err error) {
	if err != nil {
		logrus.Fatal(err)
	}
}
