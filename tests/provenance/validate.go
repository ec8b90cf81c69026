// Validates the envelope on standard input with the libraries of in-toto and of DSSE, by the authors of the
// specifications. Prints what its signature has to cover.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

func check(what string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
}

func main() {
	var envelope dsse.Envelope
	var statement intoto.Statement
	var predicate provenance.Provenance

	check("envelope", json.NewDecoder(os.Stdin).Decode(&envelope))
	payload, err := envelope.DecodeB64Payload()
	check("payload", err)
	check("statement", protojson.Unmarshal(payload, &statement))
	check("statement", statement.Validate())
	if statement.PredicateType != "https://slsa.dev/provenance/v1" {
		check("predicate type", fmt.Errorf("%s", statement.PredicateType))
	}
	text, err := protojson.Marshal(statement.Predicate)
	check("predicate", err)
	check("predicate", protojson.Unmarshal(text, &predicate))
	check("predicate", predicate.Validate())
	fmt.Print(base64.StdEncoding.EncodeToString(dsse.PAE(envelope.PayloadType, payload)))
}
