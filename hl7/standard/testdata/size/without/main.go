// Command without is a program to compare the size of the one beside it with: it reads a message
// and knows nothing of the standard.
package main

import (
	"fmt"

	"github.com/ladlehq/ladle/hl7"
)

func main() {
	m, err := hl7.Parse([]byte("MSH|^~\\&|A|B|C|D|||ACK|1|P|2.5.1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range m.Segments() {
		fmt.Println(s.Name())
	}
}
