// Command without is a program to compare the size of the one beside it with.
package main

import "fmt"

func main() { fmt.Println("HL7") }
