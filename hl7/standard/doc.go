// Package standard knows the HL7 v2 standard: for each version from 2.1 to 2.7.1 its segments
// and fields, data types and components, tables, and the structure of its messages.
//
// [Version] gives the [Dictionary] of a version, or the nearest one for a version that isn't
// described, such as 2.8 and 2.9; [Gaps] says what is missing. A dictionary answers by name:
// [Dictionary.Segment], [Dictionary.Field], [Dictionary.DataType], [Dictionary.Table],
// [Dictionary.Structure] and [Dictionary.StructureOf].
//
// # Where the data come from
//
// They are made by the program in internal/generate from the npm package hl7-dictionary 1.0.1,
// and checked against hl7v2-dictionary 1.8.0; both are under the MIT licence, and their licences
// are in the folder LICENSES. The file data/comparison.txt tells what the check found and what
// was put right. Nothing is taken from the text of the standard itself.
//
// The data are about 0.3 MB of a program that uses the package. A version is decoded when it is
// first asked for.
package standard
