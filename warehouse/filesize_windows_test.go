package warehouse_test

import "errors"

func limitFileSize(uint64) (lift func() error, err error) {
	return nil, errors.New("Windows has no limit of file sizes")
}
