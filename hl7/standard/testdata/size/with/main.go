// Command with is the program beside it, and uses the dictionary.
package main

import (
	"fmt"

	"github.com/ladlehq/ladle/hl7/standard"
)

func main() {
	d, _ := standard.Version("2.5.1")
	f, _ := d.Field("PID", 5)
	fmt.Println("HL7", f.Name)
}
