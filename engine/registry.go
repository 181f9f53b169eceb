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
	kinds map[reflect.Type]string                  // interface, what it is called
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
	return r.RegisterType(reflect.TypeFor[Receiver](), "receiver", name, reflect.TypeFor[T]())
}

// RegisterActivity makes the activity *T known under name, as [RegisterReceiver]
// does for receivers. The names of a step's own settings are taken: name, when,
// queue, timeout.
func RegisterActivity[T any, P interface {
	*T
	Activity
}](r *Registry, name string) error {
	return r.RegisterType(reflect.TypeFor[Activity](), "activity", name, reflect.TypeFor[T]())
}

// RegisterSender makes the sender *T known under name, as [RegisterReceiver] does
// for receivers.
func RegisterSender[T any, P interface {
	*T
	Sender
}](r *Registry, name string) error {
	return r.RegisterType(reflect.TypeFor[Sender](), "sender", name, reflect.TypeFor[T]())
}

var (
	typeName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	reserved = map[string]bool{"name": true, "when": true, "queue": true, "timeout": true}
)

// RegisterType makes *t known under name wherever a setting is of the interface type
// iface, whose values are called kind in error texts. It is for interfaces that packages
// define which don't know the engine; those of the engine have functions of their own.
func (r *Registry) RegisterType(iface reflect.Type, kind, name string, t reflect.Type) error {
	switch {
	case !typeName.MatchString(name):
		return fmt.Errorf("engine: %q can't be the name of a type: use lower-case letters, digits and dashes", name)
	case reserved[name]:
		return fmt.Errorf("engine: %q can't be the name of a type: it is a setting of every step", name)
	case !reflect.PointerTo(t).Implements(iface):
		return fmt.Errorf("engine: %s %q can't be registered: *%v is no %v", kind, name, t, iface)
	}
	if have := r.types[iface][name]; have != nil {
		return fmt.Errorf("engine: %s %q is registered already, as %v", kind, name, have)
	}
	if r.types == nil {
		r.types = make(map[reflect.Type]map[string]reflect.Type)
		r.kinds = make(map[reflect.Type]string)
	}
	if r.types[iface] == nil {
		r.types[iface] = make(map[string]reflect.Type)
	}
	r.types[iface][name], r.kinds[iface] = t, kind
	return nil
}

// kind says what the values of an interface type are called, or "" when it is none that
// types are registered for.
func (r *Registry) kind(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Receiver]():
		return "receiver"
	case reflect.TypeFor[Activity]():
		return "activity"
	case reflect.TypeFor[Sender]():
		return "sender"
	}
	return r.kinds[t]
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
