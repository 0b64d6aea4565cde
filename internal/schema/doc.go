// Package schema turns one declaration of a body into everything the wire
// needs of it: a reader that reports every error of a request at once, an
// encoder for answers, an OpenAPI component and a table for people.
//
// It owns the JSON text of the product: which bytes are JSON, where a text
// stops being JSON, the form of field errors (that of FastAPI with pydantic 2,
// on which existing clients rely), and the one encoding of a value. It knows
// nothing of HTTP beyond a content type, and never imports a package of the
// product but its root.
//
// Start with Object in model.go, then the types of its fields in types.go.
// ReadBody in body.go is where a request comes in; json.go says what JSON is.
package schema
