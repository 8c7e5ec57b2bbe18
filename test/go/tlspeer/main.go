// tlspeer is a TLS client on Go's standard library for the tests of the server's TLS: it connects in every way that a
// client may, calls a few methods over SRPC or asks for a page, and prints what happened as JSON.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

var (
	address  = flag.String("address", "127.0.0.1:6971", "host:port")
	certFile = flag.String("cert", "", "certificate (chain); empty = none")
	keyFile  = flag.String("key", "", "its key")
	raw      = flag.Bool("raw", false, "show the certificates as they are, without looking at them")
	wrongKey = flag.Bool("wrongKey", false, "sign with a key of our own that does not fit the certificate")
	caFile   = flag.String("CA", "", "verify the server with this CA")
	name     = flag.String("name", "localhost", "name of the server to verify")
	version  = flag.String("version", "", "1.2 or 1.3 only")
	inside   = flag.Bool("inside", false, "TLS from the first byte, CONNECT inside")
	path     = flag.String("path", "/_go_TLS_SRPC_/", "path to CONNECT to")
	get      = flag.String("get", "", "instead of SRPC: GET this path over HTTPS")
	alpn     = flag.String("alpn", "", "protocols to offer, separated by commas")
	visits   = flag.Int("visits", 1, "connect so many times, resuming the session")
	hold     = flag.Duration("hold", 0, "keep calling on one connection for so long")
)

// Visit is what one connection saw.
type Visit struct {
	Error       string   `json:"error,omitempty"`
	Version     string   `json:"version,omitempty"`
	Resumed     bool     `json:"resumed"`
	ALPN        string   `json:"alpn,omitempty"`
	Authorities []string `json:"authorities,omitempty"`
	Server      string   `json:"server,omitempty"`
	Replies     []string `json:"replies"`
	Calls       int      `json:"calls,omitempty"`
}

func config(visit **Visit) (*tls.Config, error) {
	c := &tls.Config{
		InsecureSkipVerify: *caFile == "",
		ServerName:         *name,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	switch *version {
	case "1.0":
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	case "1.1":
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	case "1.2":
		c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	}
	if *alpn != "" {
		c.NextProtos = strings.Split(*alpn, ",")
	}
	if *caFile != "" {
		pem, err := os.ReadFile(*caFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(pem)
	}
	var mine *tls.Certificate
	if *certFile != "" {
		load := tls.LoadX509KeyPair
		if *raw {
			load = loadRaw
		}
		pair, err := load(*certFile, *keyFile)
		if err != nil {
			return nil, err
		}
		if *wrongKey {
			stranger, err := makeKey()
			if err != nil {
				return nil, err
			}
			pair.PrivateKey = stranger
		}
		mine = &pair
	}
	c.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for _, raw := range request.AcceptableCAs {
			(*visit).Authorities = append((*visit).Authorities, commonName(raw))
		}
		if mine == nil {
			return &tls.Certificate{}, nil
		}
		return mine, nil
	}
	return c, nil
}

func versionName(v uint16) string {
	switch v {
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return fmt.Sprintf("%#x", v)
}

func connect(c net.Conn) error {
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.0\n\n", *path); err != nil {
		return err
	}
	// Byte by byte: what follows belongs to TLS.
	var answer []byte
	one := make([]byte, 1)
	for !strings.HasSuffix(string(answer), "\n\n") && !strings.HasSuffix(string(answer), "\r\n\r\n") {
		n, err := c.Read(one)
		answer = append(answer, one[:n]...)
		if err != nil && n == 0 {
			return fmt.Errorf("after %q: %w", answer, err)
		}
	}
	if status := strings.SplitN(string(answer), "\n", 2)[0]; !strings.HasSuffix(status, "200 Connected to Go SRPC") {
		return fmt.Errorf("%s", strings.TrimSpace(status))
	}
	return nil
}

func (v *Visit) run(c *tls.Config, methods []string) error {
	var conn net.Conn
	conn, err := net.DialTimeout("tcp", *address, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10*time.Second + *hold))
	first := *inside || *get != ""
	if !first {
		if err := connect(conn); err != nil {
			return err
		}
	}
	secure := tls.Client(conn, c)
	if err := secure.Handshake(); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	defer secure.Close()
	state := secure.ConnectionState()
	v.Version, v.Resumed, v.ALPN = versionName(state.Version), state.DidResume, state.NegotiatedProtocol
	if len(state.PeerCertificates) > 0 {
		v.Server = state.PeerCertificates[0].SerialNumber.Text(16)
	}
	reader := bufio.NewReader(secure)
	if *get != "" {
		fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", *get, *name)
		status, err := reader.ReadString('\n')
		v.Replies = append(v.Replies, strings.TrimSpace(status))
		return err
	}
	if first {
		if err := connect(secure); err != nil {
			return err
		}
	}
	ask := func(line string) (string, error) {
		if _, err := fmt.Fprintf(secure, "%s\n", line); err != nil {
			return "", err
		}
		reply, err := reader.ReadString('\n')
		return strings.TrimSuffix(reply, "\n"), err
	}
	for _, method := range methods {
		reply, err := ask(method)
		if err != nil {
			return fmt.Errorf("calling %s: %w", method, err)
		}
		v.Replies = append(v.Replies, reply)
	}
	for end := time.Now().Add(*hold); time.Now().Before(end); v.Calls++ {
		if reply, err := ask(""); err != nil || reply != "" {
			return fmt.Errorf("ping %d: %q %w", v.Calls, reply, err)
		}
	}
	return nil
}

func main() {
	flag.Parse()
	var current *Visit
	c, err := config(&current)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	for n := 0; n < *visits; n++ {
		current = &Visit{Replies: []string{}}
		if err := current.run(c, flag.Args()); err != nil {
			current.Error = err.Error()
		}
		out.Encode(current)
	}
}
