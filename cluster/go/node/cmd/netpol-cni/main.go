// Netpol-cni is the last plugin of the CNI chain: it tells the NetworkPolicy agent which address a new
// pod got and waits until the pod's policies are in force, so that no container ever runs without them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const patience = 20 * time.Second

type configuration struct {
	CNIVersion string          `json:"cniVersion"`
	Socket     string          `json:"socket"`
	PrevResult json.RawMessage `json:"prevResult"`
}

type result struct {
	IPs []struct {
		Address string `json:"address"`
	} `json:"ips"`
}

type request struct {
	Command   string `json:"command"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Address   string `json:"address"`
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail("cannot read the configuration: %v", err)
	}
	var config configuration
	if os.Getenv("CNI_COMMAND") != "VERSION" {
		if err := json.Unmarshal(input, &config); err != nil {
			fail("cannot parse the configuration: %v", err)
		}
	}
	switch os.Getenv("CNI_COMMAND") {
	case "VERSION":
		fmt.Println(`{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}`)
	case "ADD":
		if err := ask(config.Socket, describe("add", config.PrevResult)); err != nil {
			fail("the NetworkPolicy agent did not confirm the pod: %v", err)
		}
		os.Stdout.Write(config.PrevResult)
	case "DEL":
		// Must succeed even when the agent is gone: the pod is going either way.
		_ = ask(config.Socket, describe("delete", config.PrevResult))
	}
}

func describe(command string, previous json.RawMessage) request {
	arguments := map[string]string{}
	for _, pair := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		if key, value, found := strings.Cut(pair, "="); found {
			arguments[key] = value
		}
	}
	described := request{
		Command:   command,
		Namespace: arguments["K8S_POD_NAMESPACE"],
		Name:      arguments["K8S_POD_NAME"],
		UID:       arguments["K8S_POD_UID"],
	}
	var parsed result
	if json.Unmarshal(previous, &parsed) == nil && len(parsed.IPs) > 0 {
		described.Address, _, _ = strings.Cut(parsed.IPs[0].Address, "/")
	}
	return described
}

func ask(socket string, question request) error {
	connection, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	if err := json.NewEncoder(connection).Encode(question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "ok" {
		return fmt.Errorf("it said %q", strings.TrimSpace(answer))
	}
	return nil
}

func fail(format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": "1.0.0", "code": 100, "msg": message})
	os.Exit(1)
}
