package engine

import (
	"errors"
	"reflect"
	"strings"
)

// A FieldError says which setting is wrong. [New] returns one for each mistake,
// joined; a loader turns the field into a line and a column.
type FieldError struct {
	// Workflow is the name of the workflow, or "" where that isn't known yet.
	Workflow string
	// Field is the path to the setting in the names of the YAML form, such as
	// "receiver.tls.certificate[0].file". "" is the whole.
	Field string
	Err   error

	index int // of the workflow, from 1; 0 is unknown
}

func (e *FieldError) Error() string {
	var b strings.Builder
	if e.Workflow != "" {
		b.WriteString("workflow \"" + e.Workflow + "\": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *FieldError) Unwrap() error { return e.Err }

// FieldPath returns Field. Packages that don't import the engine have field errors
// of their own with this method; the engine knows them by it.
func (e *FieldError) FieldPath() string { return e.Field }

// InField says that err happened in the setting name. Each error that is joined in
// err becomes a [FieldError] of its own whose path begins with name. It returns nil
// when err is nil.
func InField(name string, err error) error {
	var all []error
	for _, e := range flatten(err) {
		f := asFieldError(e)
		f.Field = joinField(name, f.Field)
		all = append(all, f)
	}
	return errors.Join(all...)
}

// asFieldError returns a fresh FieldError with the path and the cause of err.
func asFieldError(err error) *FieldError {
	if f, ok := err.(interface {
		FieldPath() string
		Unwrap() error
	}); ok {
		return &FieldError{Field: f.FieldPath(), Err: f.Unwrap()}
	}
	return &FieldError{Err: err}
}

func joinField(a, b string) string {
	if a == "" || b == "" || b[0] == '[' {
		return a + b
	}
	return a + "." + b
}

// flatten returns the errors that errors.Join has joined in err, however deep. An
// error with several causes and a text of its own stays whole.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if reflect.TypeOf(err) != reflect.TypeOf(errors.Join(err)) {
		return []error{err}
	}
	var all []error
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
