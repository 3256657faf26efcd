package v1alpha1

// Authentication is how clients prove that they may call. A client needs one of what is listed.
//
// +kubebuilder:validation:XValidation:rule="has(self.jwt) && self.jwt.size() > 0 || has(self.apiKeys)",message="authentication needs jwt or apiKeys: without them, no client could call"
type Authentication struct {
	// JWT are the issuers of the tokens that are accepted (authorization: Bearer …).
	// +kubebuilder:validation:MaxItems=4
	// +listType=map
	// +listMapKey=issuer
	// +optional
	JWT []JWTIssuer `json:"jwt,omitempty"`
	// APIKeys are keys that are accepted (x-api-key: …).
	// +optional
	APIKeys *APIKeys `json:"apiKeys,omitempty"`
	// Workflows are the names of the workflows that require authentication. Empty: all do, and so do reflection and the
	// pages that show the contract.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=19
	// +listType=set
	// +optional
	Workflows []string `json:"workflows,omitempty"`
}

// JWTIssuer is an issuer of tokens.
//
// +kubebuilder:validation:XValidation:rule="has(self.jwks) || has(self.jwksURL) || self.issuer.startsWith('https://')",message="the keys of an issuer are found by its URL, which must begin with https://: correct it, or set jwks or jwksURL",fieldPath=".issuer"
type JWTIssuer struct {
	// Issuer is what a token must have as iss, exactly. Without jwks and jwksURL, its keys are found by OpenID Connect
	// Discovery: it must be a URL then.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer"`
	// Audiences are those of which a token must have one as aud.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +listType=set
	Audiences []string `json:"audiences"`
	// JWKS are the issuer's public keys (a JWK set). They do not change then while the version runs.
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	JWKS string `json:"jwks,omitempty"`
	// JWKSURL is where the issuer's public keys are; it is not used if there are jwks.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.startsWith('https://')",message="the keys of an issuer are fetched over https://"
	// +optional
	JWKSURL string `json:"jwksURL,omitempty"`
	// CA are certificates (PEM) by one of which that of the issuer's server is signed. Empty: the system's.
	// +kubebuilder:validation:MaxLength=16384
	// +optional
	CA string `json:"ca,omitempty"`
}

// APIKeys are the API keys of a Secret.
type APIKeys struct {
	// Secret is the name of a Secret in the version's namespace. Each of its entries is a key, of 16 to 4096 bytes; the
	// entry's name is the name of the client. A change applies without a restart.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="the name of a Secret may contain only a to z, 0 to 9, \"-\" and \".\", and must begin and end with a letter or digit"
	Secret string `json:"secret"`
}
