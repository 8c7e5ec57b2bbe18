package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
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
