// Bandwidth stands before the CNI plugin of that name and gives it a burst that means something.
//
// containerd asks for a burst of 2^32 bits, so that a "limited" pod may first send more than a hundred
// megabytes as fast as it can.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

const (
	plugin = "/usr/lib/cni/bandwidth"
	// Bits; two of the largest packets that the kernel passes on in one piece.
	smallestBurst   = 1 << 20
	burstsPerSecond = 10
)

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	command := exec.Command(plugin)
	command.Stdin = bytes.NewReader(withBurst(input))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			os.Exit(exit.ExitCode())
		}
		fail(err)
	}
}

func withBurst(input []byte) []byte {
	var config map[string]any
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.UseNumber()
	if decoder.Decode(&config) != nil {
		return input
	}
	runtime, _ := config["runtimeConfig"].(map[string]any)
	limits, _ := runtime["bandwidth"].(map[string]any)
	// containerd capitalises the names, others do not; the plugin takes both.
	for _, names := range [][2]string{
		{"IngressRate", "IngressBurst"}, {"EgressRate", "EgressBurst"},
		{"ingressRate", "ingressBurst"}, {"egressRate", "egressBurst"},
	} {
		number, _ := limits[names[0]].(json.Number)
		if rate, err := number.Int64(); err == nil && rate > 0 {
			limits[names[1]] = max(rate/burstsPerSecond, smallestBurst)
		}
	}
	output, err := json.Marshal(config)
	if err != nil {
		return input
	}
	return output
}

func fail(err error) {
	fmt.Printf(`{"cniVersion":"0.4.0","code":100,"msg":%q}`, "bandwidth: "+err.Error())
	os.Exit(1)
}
