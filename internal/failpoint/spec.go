package failpoint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse returns a Set with the rules of a spec: point=action, separated by
// semicolons. A point may have several. The actions:
//
//	kill, kill:3, kill:*      SIGKILL of the process at the first, third, each hit
//	exit, exit:3, exit:*      os.Exit with ExitCode
//	error, error:3, error:*   Hit returns an *Error
//	delay:50ms                each hit waits so long
//	pause:/path               each hit waits until the file exists
//	hold:/path                each hit waits until the file does not exist
//
// "#7=error", "#7=kill" and "#7=exit" stand for the seventh hit of any point.
// A wait ends with its context. The empty spec gives a Set that only counts.
func Parse(spec string) (*Set, error) {
	s := New()
	for entry := range strings.SplitSeq(spec, ";") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		r, err := parseRule(entry)
		if err != nil {
			return nil, fmt.Errorf("failpoint spec %q: %w", entry, err)
		}
		s.rules = append(s.rules, r)
	}
	return s, nil
}

func parseRule(entry string) (rule, error) {
	name, text, ok := strings.Cut(entry, "=")
	if !ok {
		return rule{}, errors.New("want point=action")
	}
	verb, arg, hasArg := strings.Cut(text, ":")
	r := rule{name: name}
	var err error
	switch verb {
	case "kill", "exit", "error":
		r.do = map[string]action{"kill": kill, "exit": exit, "error": fail}[verb]
		r.nth, err = parseHit(arg, hasArg)
	case "delay":
		var d time.Duration
		d, err = time.ParseDuration(arg)
		r.do = delay(d)
	case "pause", "hold":
		if arg == "" {
			err = errors.New("want the path of a file")
		}
		r.do = awaitFile(arg, verb == "pause")
	default:
		err = errors.New("no such action")
	}
	if err != nil {
		return rule{}, err
	}

	if number, ok := strings.CutPrefix(name, "#"); ok {
		r.name = ""
		if hasArg {
			return rule{}, errors.New("a hit of any point takes kill, exit or error, without a number")
		}
		r.nth, err = parseHit(number, true)
		if err == nil && r.nth == 0 {
			err = errors.New("want the number of a hit")
		}
		return r, err
	}
	if !validName(name) {
		return rule{}, errors.New("a point's name has lower-case letters, digits, dots, hyphens and underscores")
	}
	return r, nil
}

// parseHit returns the number of a hit, or 0 for each.
func parseHit(arg string, given bool) (int, error) {
	switch {
	case !given:
		return 1, nil
	case arg == "*":
		return 0, nil
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return 0, errors.New("want the number of a hit, from 1")
	}
	return n, nil
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}
