package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
)

// chartLibrary is fetched at build (lib/README.md). Without it the pages have
// their tables only.
const chartLibrary = "echarts.min.js"

// assets are the files that pages load.
type assets struct{ files map[string]asset }

type asset struct {
	body []byte
	kind string
	tag  string // a hash of the body: part of the address, so that it can be kept for ever
}

func readAssets() (*assets, error) {
	a := &assets{files: make(map[string]asset)}
	entries, err := files.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("read the pages' files: %w", err)
	}
	for _, entry := range entries {
		if err := a.read("assets", entry.Name()); err != nil {
			return nil, err
		}
	}
	if err := a.read("lib", chartLibrary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return a, nil
}

func (a *assets) read(folder, name string) error {
	body, err := files.ReadFile(path.Join(folder, name))
	if err != nil {
		return fmt.Errorf("read the pages' files: %w", err)
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" { // the machine's own table may say otherwise
		kind = "text/javascript; charset=utf-8"
	}
	sum := sha256.Sum256(body)
	a.files[name] = asset{body, kind, hex.EncodeToString(sum[:6])}
	return nil
}

// address of a file in pages; "" for one that is not there.
func (a *assets) address(name string) string {
	file, ok := a.files[name]
	if !ok {
		return ""
	}
	return "/assets/" + name + "?" + file.tag
}

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.URL.RawQuery == file.tag {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.body)))
	_, _ = w.Write(file.body) // an error here is a client that went away
}
