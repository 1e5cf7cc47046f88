// Relay passes connections of an inherited listening socket on to an address.
//
// A socket stays in the network namespace in which it was made: the one inherited here listens on the
// host's loopback while this process dials inside the cluster's namespace, so no interface, route or
// rule on the host is needed to reach the API server.
package main

import (
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: relay LISTENING_DESCRIPTOR ADDRESS")
	}
	descriptor, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatalf("not a descriptor: %q", os.Args[1])
	}
	listener, err := net.FileListener(os.NewFile(uintptr(descriptor), "listener"))
	if err != nil {
		log.Fatalf("descriptor %d is no listening socket: %v", descriptor, err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go pass(connection.(*net.TCPConn), os.Args[2])
	}
}

func pass(client *net.TCPConn, address string) {
	defer client.Close()
	dialled, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	server := dialled.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		copyAndClose(server, client)
		close(done)
	}()
	copyAndClose(client, server)
	<-done
}

func copyAndClose(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		// The other direction must not wait for a peer that is gone.
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
