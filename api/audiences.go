package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/goodhour/goodhour/warehouse"
)

// audienceSchema is where the models put lists to send to.
const audienceSchema = "audience"

// audienceRelation finds an audience. Its name is looked up among the file's
// relations and never put into SQL as it came.
func audienceRelation(reader *warehouse.Reader, name string) (warehouse.Relation, bool) {
	for _, relation := range reader.Relations() {
		if relation.Schema == audienceSchema && relation.Name == name && isAudience(relation) {
			return relation, true
		}
	}
	return warehouse.Relation{}, false
}

// isAudience: a relation of the schema without customers in it is a step of an
// analyst's, not a list to send to.
func isAudience(relation warehouse.Relation) bool {
	return slices.ContainsFunc(relation.Columns, func(c warehouse.Column) bool {
		return c.Name == "customer_id" && c.Type == "UUID"
	})
}

// audienceSQL is the select of an audience. One without the caller's own key
// gets it from marts.customers: a list that joins to nothing is useless.
func audienceSQL(relation warehouse.Relation) string {
	list := quoteIdentifier(relation.Schema) + "." + quoteIdentifier(relation.Name)
	if slices.ContainsFunc(relation.Columns, func(c warehouse.Column) bool { return c.Name == "external_id" }) {
		return "select * from " + list
	}
	return strings.ReplaceAll(query("audience_with_own_key"), "audience.list", list)
}

// audienceAnswer is one audience of GET /v1/audiences.
type audienceAnswer struct {
	Name string `json:"name"`
	// Definition is what the model says of itself.
	Definition    string `json:"definition"`
	CustomerCount int64  `json:"customer_count"`
}

func (s *Server) getAudiences(w http.ResponseWriter, r *http.Request) error {
	return s.published(w, func(reader *warehouse.Reader) error {
		definitions, err := rows(r.Context(), reader, query("audience_definitions"))
		if err != nil {
			return err
		}
		audiences := []audienceAnswer{}
		for _, relation := range reader.Relations() {
			if relation.Schema != audienceSchema || !isAudience(relation) {
				continue
			}
			out := audienceAnswer{Name: relation.Name}
			for _, d := range definitions {
				if d.text("name") == relation.Name {
					out.Definition = d.text("definition")
				}
			}
			if out.CustomerCount, err = countOf(r.Context(), reader, relation); err != nil {
				return err
			}
			audiences = append(audiences, out)
		}
		return writeJSON(w, http.StatusOK, struct {
			asOf
			Audiences []audienceAnswer `json:"audiences"`
		}{asOfOf(reader), audiences})
	})
}

func countOf(ctx context.Context, reader *warehouse.Reader, relation warehouse.Relation) (int64, error) {
	if relation.Rows >= 0 {
		return relation.Rows, nil
	}
	count, err := rows(ctx, reader, "select count(*) as n from ("+audienceSQL(relation)+")")
	if err != nil {
		return 0, err
	}
	return count[0].integer("n"), nil
}

func (s *Server) getAudienceCustomers(w http.ResponseWriter, r *http.Request) error {
	name, err := pathSegment(r, "name")
	if err != nil {
		return err
	}
	return s.published(w, func(reader *warehouse.Reader) error {
		relation, ok := audienceRelation(reader, name)
		if !ok {
			return problemf(problemNotFound, "No audience has this name. GET /v1/audiences lists them; one needs a column customer_id of type UUID.")
		}
		return s.answerList(w, r, reader, customerList{name: "audience-" + relation.Name, sql: audienceSQL(relation)})
	})
}

// quoteIdentifier writes a name of the published file's catalog in SQL.
func quoteIdentifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
