package workflow

import "strconv"

func key(execution, state string, command int64) string {
	return execution + "/" + state + "/" + strconv.FormatInt(command, 10)
}
