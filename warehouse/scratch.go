package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/goodhour/goodhour/warehouse/dbfile"
)

// OpenScratch opens an empty warehouse in memory: the tables of the newest
// schema and nothing in them, for the tests of models and for reading their
// SQL. Nothing of it stays.
func OpenScratch(ctx context.Context) (*sql.DB, error) {
	folder, err := fs.Sub(embeddedSchema, "schema")
	if err != nil {
		return nil, fmt.Errorf("read the embedded schema: %w", err)
	}
	migrations, err := dbfile.ReadMigrations(folder)
	if err != nil {
		return nil, err
	}
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open a database in memory: %w", err)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	err = configure(ctx, conn, Options{})
	if err == nil {
		// Nobody reads when this happened.
		err = dbfile.Migrate(ctx, conn, migrations, func() time.Time { return time.Unix(0, 0) })
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("make the tables of a warehouse in memory: %w", err), db.Close())
	}
	return db, nil
}
