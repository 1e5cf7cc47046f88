package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// Until when a password is good; smarttrade.bus.accounts.LIFETIME_S.
	lifetime = 30 * 24 * time.Hour
	// How often the list of withdrawn passwords is read; the kubelet brings it within about 90 s.
	readEvery = 2 * time.Second
)

// user is what an account's user name says: `exchange.environment.issued.namespace.name`.
type user struct {
	role    string
	account string
	issued  int64
}

func parseUser(text string) (user, error) {
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 4 {
		return user{}, errors.New("no account's name")
	}
	issued, err := strconv.ParseInt(parts[2], 10, 64)
	return user{role: parts[0] + "." + parts[1], account: parts[3], issued: issued}, err
}

// admission knows which passwords are refused although they are right, and what was opened with which.
type admission struct {
	mutex     sync.Mutex
	withdrawn map[string]int64
	opened    map[net.Conn]user
}

func newAdmission() *admission {
	return &admission{opened: map[net.Conn]user{}}
}

// admit remembers what the connection is used with, so that it ends when that is withdrawn.
func (admitted *admission) admit(who user, connection net.Conn) error {
	admitted.mutex.Lock()
	defer admitted.mutex.Unlock()
	if time.Unix(who.issued, 0).Add(lifetime).Before(time.Now()) {
		return errors.New("the password has expired")
	}
	if admitted.isWithdrawn(who) {
		return errors.New("the password is withdrawn")
	}
	if connection != nil {
		admitted.opened[connection] = who
	}
	return nil
}

func (admitted *admission) isWithdrawn(who user) bool {
	return who.issued <= admitted.withdrawn[who.account]
}

func (admitted *admission) forget(connection net.Conn) {
	admitted.mutex.Lock()
	defer admitted.mutex.Unlock()
	delete(admitted.opened, connection)
}

// withdraw takes the list over and ends what was opened with passwords that are in it.
func (admitted *admission) withdraw(list map[string]int64) {
	admitted.mutex.Lock()
	admitted.withdrawn = list
	var ended []net.Conn
	for connection, who := range admitted.opened {
		if admitted.isWithdrawn(who) {
			ended = append(ended, connection)
		}
	}
	admitted.mutex.Unlock()
	for _, connection := range ended {
		_ = connection.Close()
	}
}

// follow reads the list again and again; one that is missing or broken changes nothing.
func (admitted *admission) follow(path string) {
	var known string
	for ; ; time.Sleep(readEvery) {
		content, err := os.ReadFile(path)
		if err != nil || string(content) == known {
			continue
		}
		known = string(content)
		var list map[string]int64
		if err := json.Unmarshal(content, &list); err != nil {
			logrus.Errorf("the list of withdrawn passwords stays as it was: %v", err)
			continue
		}
		admitted.withdraw(list)
	}
}

// told tells the admission when one of its connections closes, whoever closes it.
type told struct {
	net.Listener
	admitted *admission
}

func (listener told) Accept() (net.Conn, error) {
	connection, err := listener.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: connection, admitted: listener.admitted}, nil
}

type watched struct {
	net.Conn
	admitted *admission
}

func (connection *watched) Close() error {
	connection.admitted.forget(connection)
	return connection.Conn.Close()
}

type connectionKey struct{}

func withConnection(known context.Context, connection net.Conn) context.Context {
	return context.WithValue(known, connectionKey{}, connection)
}

func connectionOf(request *http.Request) net.Conn {
	connection, _ := request.Context().Value(connectionKey{}).(net.Conn)
	return connection
}
