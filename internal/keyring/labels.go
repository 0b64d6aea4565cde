package keyring

// Label names the purpose of a derived key. Every purpose has one of its own:
// what is authentic for one is worthless for another. A label is never renamed
// and never used for a second purpose, because what was made with it would
// lose, or gain, its force.
type Label string

// The labels: this is the whole table.
const (
	LabelAccessTokens  Label = "access tokens"  // Ed25519: signs the JWTs of the API
	LabelInvitations   Label = "invitations"    // MAC: the token of an invitation's link
	LabelMailedCodes   Label = "mailed codes"   // MAC: what is stored of a short code sent by mail, so that a dump cannot be searched for it
	LabelUnsubscribe   Label = "unsubscribe"    // MAC: the link that stops mail to an address
	LabelRefreshTokens Label = "refresh tokens" // MAC: refresh tokens, bound to session and rotation
	LabelConsole       Label = "console"        // MAC: the cookies of the console, bound to session
	LabelCursors       Label = "cursors"        // MAC: page cursors, bound to path and query
	LabelForms         Label = "forms"          // MAC: form protection of the console and of the guest pages
	LabelStored        Label = "stored"         // Seal: secrets in the registry: certificate keys, SMTP and cluster passwords

	labelFingerprint Label = "fingerprint" // the ring's public id
)

// Labels returns the labels in the order of the table, for tests that go
// through all of them.
func Labels() []Label {
	return []Label{
		LabelAccessTokens, LabelRefreshTokens, LabelInvitations, LabelMailedCodes, LabelUnsubscribe,
		LabelConsole, LabelCursors, LabelForms, LabelStored, labelFingerprint,
	}
}
