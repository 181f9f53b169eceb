package engine

import (
	"fmt"
	"reflect"
	"regexp"
)

// A Registry knows the types that a workflow file can name. The zero value is empty
// and ready. Fill it with the Register functions of package receivers and package
// activities, and with [RegisterReceiver] and its neighbours for types of your own.
// A Registry is not safe for use while it is being filled.
type Registry struct {
	types map[reflect.Type]map[string]reflect.Type // interface, name, type
}

// RegisterReceiver makes the receiver *T known under name. A file writes
// `receiver: {name: {...}}`, and the settings between the inner braces are decoded
// into the exported fields of a new T: by the names in their yaml tags, strictly. A
// field that names a file has the tag `ladle:"path"`, and a relative one is then
// relative to the workflow file. A type that wants to check its settings is a
// [Preparer].
//
// The name is of lower-case letters, digits and dashes. An error says that it isn't,
// or that it is taken.
func RegisterReceiver[T any, P interface {
	*T
	Receiver
}](r *Registry, name string) error {
	return register[Receiver](r, name, reflect.TypeFor[T]())
}

// RegisterActivity makes the activity *T known under name, as [RegisterReceiver]
// does for receivers. The names of a step's own settings are taken: name, when,
// queue, timeout.
func RegisterActivity[T any, P interface {
	*T
	Activity
}](r *Registry, name string) error {
	return register[Activity](r, name, reflect.TypeFor[T]())
}

// RegisterSender makes the sender *T known under name, as [RegisterReceiver] does
// for receivers.
func RegisterSender[T any, P interface {
	*T
	Sender
}](r *Registry, name string) error {
	return register[Sender](r, name, reflect.TypeFor[T]())
}

var (
	typeName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	reserved = map[string]bool{"name": true, "when": true, "queue": true, "timeout": true}
)

func register[I any](r *Registry, name string, t reflect.Type) error {
	if !typeName.MatchString(name) {
		return fmt.Errorf("engine: %q can't be the name of a type: use lower-case letters, digits and dashes", name)
	}
	if reserved[name] {
		return fmt.Errorf("engine: %q can't be the name of a type: it is a setting of every step", name)
	}
	kind := reflect.TypeFor[I]()
	if have := r.types[kind][name]; have != nil {
		return fmt.Errorf("engine: %s %q is registered already, as %v", kindNames[kind], name, have)
	}
	if r.types == nil {
		r.types = make(map[reflect.Type]map[string]reflect.Type)
	}
	if r.types[kind] == nil {
		r.types[kind] = make(map[string]reflect.Type)
	}
	r.types[kind][name] = t
	return nil
}

// kindNames say what a registered interface is called.
var kindNames = map[reflect.Type]string{
	reflect.TypeFor[Receiver](): "receiver",
	reflect.TypeFor[Activity](): "activity",
	reflect.TypeFor[Sender]():   "sender",
}

// known reports whether name is registered as anything.
func (r *Registry) known(name string) bool {
	for _, names := range r.types {
		if names[name] != nil {
			return true
		}
	}
	return false
}
