package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"portico/internal/schema"
)

const titlePortico = "Portico"

// object builds one JSON object of the document from keys and values in turn.
func object(pairs ...any) schema.Map {
	m := make(schema.Map, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			panic("httpapi: a key of the OpenAPI document is no string")
		}
		m = append(m, schema.Pair{Key: key, Value: pairs[i+1]})
	}
	return m
}

// openAPI returns the OpenAPI 3.1.0 document of the routes, as FastAPI would
// write it. Equal routes give equal bytes.
func (a *API) openAPI() []byte {
	var paths schema.Map
	var models []schema.Component
	index := map[string]int{}
	for _, r := range a.routes {
		models = append(models, r.models()...)
		at, ok := index[r.path]
		if !ok {
			at = len(paths)
			index[r.path] = at
			paths = append(paths, schema.Pair{Key: r.path, Value: schema.Map{}})
		}
		methods, _ := paths[at].Value.(schema.Map)
		methods = append(methods, schema.Pair{Key: strings.ToLower(r.method), Value: r.operation()})
		paths[at].Value = methods
	}
	scheme := object("type", "oauth2",
		"flows", object("password", object("scopes", object(), "tokenUrl", "/v1/oauth2/login")))
	document := object(
		"openapi", "3.1.0",
		"info", object("title", titlePortico, "description", aboutAPI, "version", a.config.Version),
		"paths", paths,
		"components", object(
			"schemas", schema.Components(models...),
			"securitySchemes", object("OAuth2PasswordBearer", scheme)),
	)
	return document.AppendJSON(nil)
}

const aboutAPI = "Portals of production organizations: each an isolated tenant with a database, an address and guests of its own. " +
	"Every write of the portal group takes an Idempotency-Key header (1 to 255 visible ASCII characters, kept for 24 hours); " +
	"every answer carries X-Request-Id."

// models returns the components that the route's operation refers to.
func (r *route) models() []schema.Component {
	var all []schema.Component
	if r.body != nil {
		all = append(all, r.body)
	}
	if r.response != nil {
		all = append(all, r.response)
	}
	return all
}

// parameters returns the route's parameters: those of the path, then those of
// the query.
func (r *route) parameters() []any {
	var all []any
	for _, name := range r.pathParameters() {
		title := strings.ReplaceAll(name, "_", " ")
		words := strings.Fields(title)
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		all = append(all, object("name", name, "in", "path", "required", true,
			"schema", object("type", "string", "title", strings.Join(words, " "))))
	}
	if r.query != nil {
		all = append(all, r.query.Parameters("query")...)
	}
	return all
}

func (r *route) pathParameters() []string {
	var names []string
	for part := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

func (r *route) operation() schema.Map {
	op := object("tags", []any{r.tag}, "summary", r.title, "description", r.doc, "operationId", r.id)
	if r.access != public {
		op = append(op, schema.Pair{Key: "security", Value: []any{object("OAuth2PasswordBearer", []any{})}})
	}
	parameters := r.parameters()
	if len(parameters) > 0 {
		op = append(op, schema.Pair{Key: "parameters", Value: parameters})
	}
	if r.body != nil {
		op = append(op, schema.Pair{Key: "requestBody", Value: r.requestBody(len(parameters) > 0)})
	}
	return append(op, schema.Pair{Key: "responses", Value: r.responses()})
}

// requestBody is written in the two orders in which the published reference
// has it.
func (r *route) requestBody(requiredFirst bool) schema.Map {
	content := object(r.bodyType(), object("schema", ref(r.body)))
	if requiredFirst {
		return object("required", true, "content", content)
	}
	return object("content", content, "required", true)
}

func (r *route) bodyType() string {
	if r.form {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

func (r *route) responses() schema.Map {
	success := object("description", "Successful Response")
	if content := r.answerSchema(); content != nil {
		success = append(success, schema.Pair{Key: "content",
			Value: object("application/json", object("schema", content))})
	}
	all := object(strconv.Itoa(r.success), success)
	if r.tag == tagPortal || strings.Contains(r.path, "{") {
		all = append(all, schema.Pair{Key: strconv.Itoa(http.StatusNotFound), Value: object("description", "Not found")})
	}
	if r.tag == tagPortal || r.body != nil || strings.Contains(r.path, "{") {
		all = append(all, schema.Pair{Key: strconv.Itoa(http.StatusUnprocessableEntity), Value: object(
			"description", "Validation Error",
			"content", object("application/json", object("schema", object("$ref", "#/components/schemas/HTTPValidationError"))))})
	}
	return all
}

// answerSchema is the schema of the success answer; nil when there is none.
func (r *route) answerSchema() schema.Map {
	switch {
	case r.success == http.StatusNoContent:
		return nil
	case r.response == nil:
		return object()
	case r.listTitle != "":
		return object("type", "array", "items", ref(r.response), "title", r.listTitle)
	}
	return ref(r.response)
}

func ref(model schema.Component) schema.Map {
	return object("$ref", "#/components/schemas/"+model.Name())
}
