package krt

func nodeForm() *Field {
	name := nameForm().like("etl")
	name.Key, name.Doc, name.Refused = "name", "The name of the node.", reservedNodes.String()
	name.Rule = `may contain only a to z, 0 to 9 and "-", must begin and end with a letter or digit, ` +
		"and must not be entrypoint, reply or config"
	return &Field{Doc: "A node.", Kind: FieldMap, Required: true, Fields: []Field{
		*name,
		{Key: "image", Doc: "The image of the node, next to src too; a local run never pulls it. ko:// and a Go import path is a package " +
			"of the manifest's own module.",
			Required: true, Pattern: koForm + "|" + imagePattern.String(), High: maxImage,
			Rule:     "must be an image reference, or ko:// and a Go import path",
			Examples: []string{"konstellation/kre-py:1.23.1", "konstellation/kre-go:1.9.0", "ko://example.com/my-version/etl"}},
		{Key: "src", Doc: "The path of the code, from the bundle's root: a .py file, a folder or .go file with Go code, or an executable file. " +
			"Without it the image must contain the code, and only a cluster can run the node.",
			RequiredIf: &Condition{Key: "image", Pattern: runnerPattern.String()}, Refused: outsideForm, High: maxPath,
			Rule:     "must be a path in the bundle, relative to its root and with slashes",
			Examples: []string{"src/etl/main.py", "src/etl", "bin/etl"}},
		gpuForm(),
		{Key: "replicas", Doc: "The minimum number of pods.", Kind: FieldInteger, High: maxPods, ClusterOnly: true},
		{Key: "workers", Doc: "How many calls the node handles at a time. A Python node has a process with its own init for each.",
			Kind: FieldInteger, Low: 1, High: maxWorkers, Default: "1", Addition: true},
		{Key: "fork", Doc: "Python: workers are forked from one process that has run init.", Kind: FieldBoolean, Default: "false",
			Addition: true},
		scaleForm(),
		{Key: "resources", Doc: "What a pod of the node asks for and may use, as Kubernetes has it.", Kind: FieldMap, Addition: true,
			ClusterOnly: true, Fields: []Field{
				quantitiesForm("requests", "What a pod is scheduled with."),
				quantitiesForm("limits", "What a pod may use at most."),
			}},
		envForm(),
		{Key: "timeout", Doc: "How long one call of the node may take, at most 590s.", Kind: FieldDuration, MaxDuration: maxTimeout,
			Addition: true, Examples: []string{"30s"}, High: maxVariable},
	}}
}

func gpuForm() Field {
	return Field{Key: "gpu", Doc: "Whether the node needs a GPU, or which and how many.", Kind: FieldBoolean, Default: "false",
		Or: &Field{Kind: FieldMap, Required: true, Fields: []Field{
			{Key: "resource", Doc: "The name of the resource: a kind of GPU, or a part of one. The default is the cluster's setting gpu-resource.",
				Pattern: gpuPattern.String(), Refused: kubernetesResource.String(), High: maxVariable, Addition: true, ClusterOnly: true,
				Rule:     "must be a resource such as nvidia.com/gpu or nvidia.com/mig-1g.10gb",
				Examples: []string{"nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "amd.com/gpu", "habana.ai/gaudi"}},
			{Key: "count", Doc: "How many of them each pod gets for itself.", Kind: FieldInteger, Low: 1, High: maxGPUs, Default: "1",
				Addition: true, ClusterOnly: true},
		}}}
}

func scaleForm() Field {
	return Field{Key: "scale", Doc: "How the number of pods follows the load.", Kind: FieldMap, Addition: true, ClusterOnly: true,
		Fields: []Field{
			{Key: "min", Doc: "The minimum number of pods.", Kind: FieldInteger, High: maxPods},
			{Key: "max", Doc: "The maximum number of pods; 0 is no maximum.", Kind: FieldInteger, High: maxPods},
			{Key: "target", Doc: "How many requests a pod should have in flight.", Kind: FieldInteger, Low: 1, High: maxPods},
			{Key: "concurrency", Doc: "How many requests a pod may have in flight at most; 0 is no maximum.", Kind: FieldInteger, High: maxPods},
			{Key: "keep", Doc: "How long the last pod stays after its last request, at most 1h. The default is 10m for a node with a GPU, and " +
				"Knative's own setting for others.", Kind: FieldDuration, MaxDuration: maxKeep, Examples: []string{"15m"}, High: maxVariable},
			{Key: "startTimeout", Doc: "How long a pod may take to become ready, with the time until there is a machine for it, at most 24h. " +
				"The default is 20m for a node with a GPU, and the cluster's settings for others.",
				Kind: FieldDuration, MaxDuration: maxStart, Examples: []string{"30m"}, High: maxVariable},
		}}
}

func quantitiesForm(key, doc string) Field {
	return Field{Key: key, Doc: doc, Kind: FieldNames, High: MaxVariables,
		Names: &Field{Pattern: resourcePattern.String(), Examples: []string{"cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"},
			Rule: "must be cpu, memory, ephemeral-storage or a name such as nvidia.com/gpu"},
		Element: &Field{Pattern: quantityPattern.String(), High: maxValue, Rule: `must be a quantity such as "500m" or "2Gi"`,
			Examples: []string{"500m", "2Gi"}},
	}
}

func envForm() Field {
	name := Field{Key: "name", Doc: "The name of the variable.", Required: true, Pattern: envPattern.String(), High: maxVariable,
		Refused: reservedVariables.String(), Examples: []string{"OMP_NUM_THREADS"},
		Rule: `may contain only letters, digits and "_", must not begin with a digit, and must not be reserved for the platform`}
	value := Field{Key: "value", Doc: "The value of the variable.", Kind: FieldScalar, High: maxValue}
	bare := value
	bare.Key = ""
	names := name
	names.Key, names.High = "", 0
	return Field{Key: "env", Doc: "More environment variables, as a map or as a list of name and value.", Kind: FieldNames, Addition: true,
		High: MaxVariables, Names: &names, Element: &bare,
		Or: &Field{Kind: FieldList, High: MaxVariables, Element: &Field{Kind: FieldMap, Required: true, Fields: []Field{name, value}}}}
}
