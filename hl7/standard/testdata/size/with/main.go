// Command with is the program beside it, and validates a message.
package main

import (
	"fmt"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

func main() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|A|B|C|D|||ACK|1|P|2.5.1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range standard.Validate(m) {
		fmt.Println(f)
	}
}
