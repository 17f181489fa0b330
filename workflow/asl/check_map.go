package asl

func (c *checker) mapState(at string, o map[string]any, s *state, depth int) {
	if _, ok := o["Parameters"]; ok && o["ItemSelector"] != nil {
		c.fault(at, "only one of Parameters and ItemSelector may be given")
	}
	name := "ItemProcessor"
	if _, ok := o["Iterator"]; ok {
		name = "Iterator"
	}
	if o["ItemProcessor"] != nil && o["Iterator"] != nil {
		c.fault(at, "only one of ItemProcessor and Iterator may be given")
	}
	processor, ok := o[name].(map[string]any)
	if !ok {
		c.fault(at, "the field ItemProcessor is required, an object")
		return
	}
	here := pointer(at, name)
	c.known(here, processor, "Comment", "StartAt", "States", "ProcessorConfig")
	if config, ok := processor["ProcessorConfig"].(map[string]any); ok {
		switch config["Mode"] {
		case nil, "INLINE":
		case "DISTRIBUTED":
			c.unsupported(here+"/ProcessorConfig/Mode", "distributed maps are not supported yet; INLINE is")
		default:
			c.fault(here+"/ProcessorConfig/Mode", "the value must be INLINE or DISTRIBUTED")
		}
	}
	s.branches = []*block{c.block(here, processor, depth+1)}
	if items, ok := o["Items"]; ok && s.jsonata {
		s.itemsOf = c.value(true, pointer(at, "Items"), "Items", items)
	}
	s.items = c.path(at, o, "ItemsPath")
	s.concurrency = c.delay(at, o, s.jsonata, "MaxConcurrency", "MaxConcurrencyPath")
}
