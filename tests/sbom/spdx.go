// Validates the SPDX document on standard input with the SPDX project's own library.
package main

import (
	"fmt"
	"os"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
)

func main() {
	doc, err := json.Read(os.Stdin)
	if err != nil {
		fmt.Println("read:", err)
		os.Exit(1)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		fmt.Println("validate:", err)
		os.Exit(1)
	}
}
