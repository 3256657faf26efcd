package localrun

// DocumentCase is a request to test/bundles/cases/documents, and the response wherever it runs.
type DocumentCase struct{ Request, Response string }

// DocumentCases save and find documents, in the order in which they are to be sent to
// one version whose store is empty; each may be sent more than once.
func DocumentCases() []DocumentCase {
	return []DocumentCase{
		{`{"op": "name", "arg": "Ada"}`, `{"text": "nobody"}`},
		{`{"op": "save", "arg": "Ada"}`, `{"text": "saved"}`},
		{`{"op": "save", "arg": "Grace"}`, `{"text": "saved"}`},
		{`{"op": "name", "arg": "Ada"}`, `{"text": "Ada"}`},
		{`{"op": "older", "arg": "35"}`, `{"text": "Ada Grace"}`},
		{`{"op": "older", "arg": "36"}`, `{"text": "nobody"}`},
		{`{"op": "tag", "arg": "poetry"}`, `{"text": "Ada Grace"}`},
		{`{"op": "either", "arg": "Gr"}`, `{"text": "Grace"}`},
	}
}
