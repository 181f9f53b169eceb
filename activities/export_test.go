package activities

// FileName is the name that a value from a message gives a file.
func FileName(value string) string { return cleanPath(cleanValue(value)) }
