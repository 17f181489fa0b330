package asl

import "strings"

// An identity is what the context object calls an execution and its machine.
// The zero value is that of journals from before Started had an Arn.
type identity struct {
	arn     string // of the execution
	home    string // what all ARNs of the appliance begin with: "arn:aws:states:local:DEVICE:"
	machine string // its name, or the hash of its definition
}

// ARN is what an execution of a machine, its name or the hash of its definition,
// is called in Started: in the form of AWS, with the device as account.
func ARN(device, machine, name string) string {
	return "arn:aws:states:local:" + device + ":execution:" + machine + ":" + name
}

// identify reads an ARN, arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME.
func identify(arn string) identity {
	home, rest, ok := strings.Cut(arn, ":execution:")
	machine, _, named := strings.Cut(rest, ":")
	if !ok || !named {
		return identity{}
	}
	return identity{arn, home + ":", machine}
}

// role is the RoleArn: the appliance acts in its own name. Old journals have none.
func (i identity) role() string {
	if i.home == "" {
		return ""
	}
	parts := strings.Split(i.home, ":")
	return "arn:aws:iam::" + parts[max(len(parts)-2, 0)] + ":role/inspector"
}

// name of the execution's machine.
func (x *Execution) machineName() string {
	if x.identity.machine == "" {
		return x.machine.hash
	}
	return x.identity.machine
}

// arnOf is an ARN of something of this execution: a kind of resource, the name
// of its machine, and what else it has.
func (x *Execution) arnOf(kind, machine string, more ...string) string {
	home := x.identity.home
	if home == "" {
		home = "arn:aws:states:::"
	}
	return home + strings.Join(append([]string{kind, machine}, more...), ":")
}

// selfContext is Execution of the context object.
func (x *Execution) selfContext() any {
	if x.contextual != nil {
		return x.contextual
	}
	o := map[string]any{
		"Id": x.name, "Name": x.name, "Input": x.input, "RoleArn": x.identity.role(), "StartTime": rfc3339(x.started),
		"RedriveCount": number(int64(x.redrives)),
	}
	if x.identity.arn != "" {
		o["Id"] = x.identity.arn
	}
	if x.redrives > 0 {
		o["RedriveTime"] = rfc3339(x.redriven)
	}
	x.contextual = o
	return o
}

// machineContext is StateMachine of the context object.
func (x *Execution) machineContext() any {
	if x.identity.arn == "" {
		return map[string]any{"Id": x.machine.hash, "Name": x.machine.hash}
	}
	return map[string]any{"Id": x.arnOf("stateMachine", x.identity.machine), "Name": x.identity.machine}
}
