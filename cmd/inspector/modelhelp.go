package main

const modelUsage = `usage: inspector model inspect FILE.onnx
       inspector model add FILE.onnx --name NAME
       inspector model list [flags]
       inspector model promote [flags] NAME@VERSION
       inspector model rollback [flags] NAME
       inspector model shadow [flags] NAME@VERSION
       inspector model shadow [flags] --off NAME
       inspector model disagreements [flags]
A running appliance is asked to do it, between two boards. Of one that is stopped the data directory is changed.
`

// modelHelp says what each command about versions does.
var modelHelp = map[string]string{
	"list":          "usage: inspector model list [flags]\nLists the versions of each model, which one judges, which are refused, and who decided that.\n",
	"promote":       "usage: inspector model promote [flags] NAME@VERSION\nLets the version judge from the next board on, once it has proven itself. Exit code 0: done, 1: refused, and nothing was changed, 2: error.\n",
	"rollback":      "usage: inspector model rollback [flags] NAME\nLets the version that judged before do so again from the next board on. Exit code 0: done, 1: refused, and nothing was changed, 2: error.\n",
	"shadow":        "usage: inspector model shadow [flags] NAME@VERSION\n       inspector model shadow [flags] --off NAME\nLets the version judge the same boards beside the one in production, and decide nothing. Exit code 0: done, 1: refused, and nothing was changed, 2: error.\n",
	"disagreements": "usage: inspector model disagreements [flags]\nLists the newest boards of which the shadow thinks otherwise than production. It needs a running appliance.\n",
}
