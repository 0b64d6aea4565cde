package portico

import "time"

// Action names what an audit record is about: noun.verb.
type Action string

// The actions that are recorded. One record is written for each effect, in the
// transaction of the effect.
const (
	ActionPortalCreated     Action = "portal.created"
	ActionPortalUpdated     Action = "portal.updated"
	ActionPortalDeleted     Action = "portal.deleted"
	ActionPortalAborted     Action = "portal.aborted"
	ActionPortalUnavailable Action = "portal.unavailable"
	ActionPortalRecovered   Action = "portal.recovered"
	ActionPortalRestored    Action = "portal.restored"
	ActionPortalMoved       Action = "portal.moved"
	ActionDatabaseShown     Action = "portal.database_shown"
	ActionDatabaseRotated   Action = "portal.database_rotated"
	ActionGuestInvited      Action = "guest.invited"
	ActionGuestLinked       Action = "guest.linked"
	ActionGuestRemoved      Action = "guest.removed"
	ActionGuestAccepted     Action = "guest.accepted"
	ActionGuestLeft         Action = "guest.left"
	ActionGuestAskedAgain   Action = "guest.asked_again"
	ActionInvitationResent  Action = "invitation.resent"
	ActionInvitationRevoked Action = "invitation.revoked"
	ActionInvitationBounced Action = "invitation.bounced"
	ActionAddressBlocked    Action = "address.blocked"

	ActionOrganizationCreated   Action = "organization.created"
	ActionOrganizationSuspended Action = "organization.suspended"
	ActionOrganizationActivated Action = "organization.activated"
	ActionAccountCreated        Action = "account.created"
	ActionAccountProven         Action = "account.proven"
	ActionMemberInvited         Action = "member.invited"
	ActionMemberJoined          Action = "member.joined"
	ActionRoleChanged           Action = "member.role_changed"
	ActionMemberRemoved         Action = "member.removed"
	ActionTokenCreated          Action = "token.created"
	ActionTokenRevoked          Action = "token.revoked"
	ActionSignedIn              Action = "session.signed_in"
	ActionSessionEnded          Action = "session.ended"
	ActionPasswordChanged       Action = "account.password_changed"
	ActionClusterAdded          Action = "cluster.added"
	ActionClusterChanged        Action = "cluster.changed"
	ActionClusterRemoved        Action = "cluster.removed"
	ActionRefused               Action = "request.refused"
)

// Actions returns all actions, in the order of the documentation.
func Actions() []Action {
	return []Action{
		ActionPortalCreated,
		ActionPortalUpdated,
		ActionPortalDeleted,
		ActionPortalAborted,
		ActionPortalUnavailable,
		ActionPortalRecovered,
		ActionPortalRestored,
		ActionPortalMoved,
		ActionDatabaseShown,
		ActionDatabaseRotated,
		ActionGuestInvited,
		ActionGuestLinked,
		ActionGuestRemoved,
		ActionGuestAccepted,
		ActionGuestLeft,
		ActionGuestAskedAgain,
		ActionInvitationResent,
		ActionInvitationRevoked,
		ActionInvitationBounced,
		ActionAddressBlocked,
		ActionOrganizationCreated,
		ActionOrganizationSuspended,
		ActionOrganizationActivated,
		ActionAccountCreated,
		ActionAccountProven,
		ActionMemberInvited,
		ActionMemberJoined,
		ActionRoleChanged,
		ActionMemberRemoved,
		ActionTokenCreated,
		ActionTokenRevoked,
		ActionSignedIn,
		ActionSessionEnded,
		ActionPasswordChanged,
		ActionClusterAdded,
		ActionClusterChanged,
		ActionClusterRemoved,
		ActionRefused,
	}
}

// OperatorActor stands for whoever runs the commands of the installation.
const OperatorActor = "operator"

// SystemActor stands for the service itself: reconciler and schedules.
const SystemActor = "system"

// Event is one audit record.
type Event struct {
	ID             string
	At             time.Time
	OrganizationID string // whose log it belongs to
	PortalID       string // empty when it is about no portal
	ActorID        string // an account id, OperatorActor or SystemActor
	Action         Action
	SubjectID      string // what it was done to
	RequestID      string
	Detail         string // a JSON object, or empty
}
