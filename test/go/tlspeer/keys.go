package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
)

// makeKey makes a key that fits no certificate.
func makeKey() (crypto.Signer, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// commonName reads the common name of a raw distinguished name.
func commonName(raw []byte) string {
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &sequence); err != nil {
		return "malformed: " + err.Error()
	}
	var name pkix.Name
	name.FillFromRDNSequence(&sequence)
	return name.CommonName
}

// loadRaw reads a pair without parsing its certificates, which may be none.
func loadRaw(certFile, keyFile string) (tls.Certificate, error) {
	var pair tls.Certificate
	rest, err := os.ReadFile(certFile)
	if err != nil {
		return pair, err
	}
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		pair.Certificate = append(pair.Certificate, block.Bytes)
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return pair, err
	}
	block, _ := pem.Decode(text)
	pair.PrivateKey, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	return pair, err
}
