package engine

import (
	"fmt"

	"go.uber.org/zap"
)

// A Preparer is a receiver, an activity, a sender or a filter that wants to check
// its settings and to know where it stands before anything is opened. [New] calls
// Prepare, and so does [Load], to report mistakes with their lines: it may be called
// more than once, acquires nothing that must be released, and reports every mistake
// at once, as a joined error of [FieldError] (see [InField]).
//
// A value that is a Preparer belongs to one place in one workflow.
type Preparer interface {
	Prepare(env Env) error
}

// An Env is what a [Preparer] is told of its place.
type Env struct {
	// Workflow is the workflow's name.
	Workflow string
	// Step is the activity's name; "" for one without a name, and for a receiver.
	Step string
	// Format is the workflow's format. It is never nil.
	Format Format
	// Logger already names the workflow and the step. It is never nil. A receiver's writes no
	// more than 200 lines of each level a minute, so that no peer can fill the log.
	Logger *zap.Logger

	shared *shared
}

// shared holds what the workflows of one engine share, by key.
type shared struct {
	values map[string]sharedValue
}

type sharedValue struct {
	value    any
	workflow string
}

// Shared returns the value that the workflows of one engine share under key, made
// by create when it is first asked for. Receivers share a port this way. It fails
// when the value under key is of another type, and names the workflow that has it.
func Shared[T any](env Env, key string, create func() T) (T, error) {
	if env.shared == nil { // a Preparer that its owner prepares outside an engine
		return create(), nil
	}
	if have, ok := env.shared.values[key]; ok {
		if v, ok := have.value.(T); ok {
			return v, nil
		}
		var zero T
		return zero, fmt.Errorf("%s is already used by workflow %q", key, have.workflow)
	}
	v := create()
	env.shared.values[key] = sharedValue{value: v, workflow: env.Workflow}
	return v, nil
}
