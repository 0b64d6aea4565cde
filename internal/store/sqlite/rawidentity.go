package sqlite

import (
	"encoding/binary"
	"errors"
	"io"

	"portico/internal/store"
)

var errRaw = errors.New("sqlite: the identity is not where the template has it")

// identityPage is the number of the page with the identity row: that of the
// first table of the schema.
const identityPage = 2

// readRawIdentity reads the identity row from a database's file. The row does
// not change in a file's life but for its counters, so what a WAL holds of it
// does not matter.
func readRawIdentity(f io.ReaderAt) (store.Identity, error) {
	var id store.Identity
	header := make([]byte, 18)
	if _, err := f.ReadAt(header, 0); err != nil {
		return id, err
	}
	size := int64(binary.BigEndian.Uint16(header[16:]))
	if string(header[:16]) != "SQLite format 3\x00" || size < 512 {
		return id, errRaw
	}
	page := make([]byte, size)
	if _, err := f.ReadAt(page, (identityPage-1)*size); err != nil {
		return id, err
	}
	const leafTable, headerSize = 0x0d, 8
	if page[0] != leafTable || binary.BigEndian.Uint16(page[3:]) != 1 {
		return id, errRaw
	}
	r := rawReader{rest: page[min(int(binary.BigEndian.Uint16(page[headerSize:])), len(page)):]}
	r.varint() // the row's size
	r.varint() // the row's number
	before := len(r.rest)
	size = r.varint()
	skip := int(size) - (before - len(r.rest)) // of the header, to the values
	if skip < 0 || skip > len(r.rest) {
		return id, errRaw
	}
	body := rawReader{rest: r.rest[skip:]}
	id.PortalID = body.text(r.varint())
	id.Generation = int(body.integer(r.varint()))
	id.Epoch = body.text(r.varint())
	if r.short || body.short || !ours(id) {
		return store.Identity{}, errRaw
	}
	return id, nil
}

// rawReader reads the parts of a record. Past its end it reads zeros and says
// so in short.
type rawReader struct {
	rest  []byte
	short bool
}

func (r *rawReader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// varint reads an integer of seven bits a byte. Those of eight bytes and more
// have no place in an identity.
func (r *rawReader) varint() (value int64) {
	for range 8 {
		b := r.take(1)
		if b == nil {
			return 0
		}
		value = value<<7 | int64(b[0]&0x7f)
		if b[0] < 0x80 {
			return value
		}
	}
	r.short = true
	return 0
}

// text reads a text of the serial type.
func (r *rawReader) text(serial int64) string {
	if serial < 13 || serial%2 == 0 {
		r.short = true
		return ""
	}
	return string(r.take((serial - 13) / 2))
}

// integer reads a positive integer of the serial type.
func (r *rawReader) integer(serial int64) (value int64) {
	switch serial {
	case 8, 9:
		return serial - 8
	case 1, 2, 3, 4:
		for _, b := range r.take(serial) {
			value = value<<8 | int64(b)
		}
		return value
	}
	r.short = true
	return 0
}
