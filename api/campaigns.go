package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/goodhour/goodhour/sender/campaign"
	"github.com/goodhour/goodhour/sender/ledger"
)

// campaignService is the service, or a problem where nothing can be sent.
func (s *Server) campaignService() (*campaign.Service, error) {
	if s.campaigns == nil {
		return nil, errNoAccount()
	}
	return s.campaigns, nil
}

func errNoAccount() error {
	return problemf(problemNotFound, "No account is configured, so nothing can be sent; add one under accounts in the configuration.")
}

func (s *Server) getCampaigns(w http.ResponseWriter, r *http.Request) error {
	service, err := s.campaignService()
	if err != nil {
		return err
	}
	list, err := service.Campaigns(r.Context())
	if err != nil {
		return err
	}
	if list == nil {
		list = []campaign.Summary{}
	}
	return writeJSON(w, http.StatusOK, map[string][]campaign.Summary{"campaigns": list})
}

// postCampaign stores a campaign file. Nothing is planned yet.
func (s *Server) postCampaign(w http.ResponseWriter, r *http.Request) error {
	service, err := s.campaignService()
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	stored, err := service.Create(r.Context(), info.body, info.principal.name)
	if err != nil {
		return err
	}
	info.made, info.count = stored.ID, 1
	w.Header().Set("Location", "/v1/campaigns/"+url.PathEscape(stored.ID))
	return writeJSON(w, http.StatusCreated, stored)
}

// withPlan finds the plan that the path's id means: a plan's own, or the newest
// of a campaign.
func (s *Server) withPlan(r *http.Request, do func(*campaign.Service, ledger.PlanStatus) error) error {
	service, err := s.campaignService()
	if err != nil {
		return err
	}
	id, err := pathSegment(r, "id")
	if err != nil {
		return err
	}
	status, err := service.Status(r.Context(), id)
	if err != nil {
		return err
	}
	return do(service, status)
}

func (s *Server) getCampaign(w http.ResponseWriter, r *http.Request) error {
	return s.withPlan(r, func(_ *campaign.Service, status ledger.PlanStatus) error {
		return writeJSON(w, http.StatusOK, status)
	})
}

// postPlan freezes a plan of the campaign as it is now, and returns its report.
func (s *Server) postPlan(w http.ResponseWriter, r *http.Request) error {
	service, err := s.campaignService()
	if err != nil {
		return err
	}
	id, err := pathSegment(r, "id")
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	report, err := service.Plan(r.Context(), id, info.principal.name)
	if err != nil {
		return err
	}
	info.made, info.count = report.PlanID, int64(report.Audience)
	w.Header().Set("Location", "/v1/campaigns/"+url.PathEscape(report.PlanID))
	return writeJSON(w, http.StatusCreated, report)
}

func (s *Server) getReport(w http.ResponseWriter, r *http.Request) error {
	return s.withPlan(r, func(service *campaign.Service, status ledger.PlanStatus) error {
		report, err := service.Report(r.Context(), status.ID)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, report)
	})
}

// postApprove approves the plan whose hash the caller has read.
func (s *Server) postApprove(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Hash string `json:"hash"`
	}
	if err := readJSON(requestOf(r.Context()).body, &in); err != nil {
		return err
	}
	if in.Hash == "" {
		return problemf(problemInvalidBody, "hash: name the hash of the plan, as its report says it.")
	}
	return s.act(w, r, func(ctx context.Context, service *campaign.Service, planID, by string) error {
		return service.Approve(ctx, planID, in.Hash, by)
	})
}

func (s *Server) postPause(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, func(ctx context.Context, service *campaign.Service, planID, by string) error {
		return service.Pause(ctx, planID, by)
	})
}

func (s *Server) postResume(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, func(ctx context.Context, service *campaign.Service, planID, by string) error {
		return service.Resume(ctx, planID, by)
	})
}

func (s *Server) postCancel(w http.ResponseWriter, r *http.Request) error {
	return s.act(w, r, func(ctx context.Context, service *campaign.Service, planID, by string) error {
		return service.Cancel(ctx, planID, by)
	})
}

// postResolve takes a person's word for what became of an unknown message.
func (s *Server) postResolve(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		MessageID string         `json:"message_id"`
		State     ledger.Outcome `json:"state"`
	}
	if err := readJSON(requestOf(r.Context()).body, &in); err != nil {
		return err
	}
	if in.MessageID == "" || in.State != ledger.Accepted && in.State != ledger.Failed {
		return problemf(problemInvalidBody, "message_id: name the message; state: accepted or failed, as the provider says.")
	}
	return s.act(w, r, func(ctx context.Context, service *campaign.Service, planID, by string) error {
		return service.Resolve(ctx, planID, in.MessageID, in.State, by)
	})
}

// act changes a plan and answers with where it stands then. A client that
// leaves meanwhile stops nothing: who presses Stop and closes the window has
// stopped it.
func (s *Server) act(w http.ResponseWriter, r *http.Request, change func(ctx context.Context, service *campaign.Service, planID, by string) error) error {
	return s.withPlan(r, func(service *campaign.Service, status ledger.PlanStatus) error {
		ctx, info := context.WithoutCancel(r.Context()), requestOf(r.Context())
		info.made = status.ID
		if err := change(ctx, service, status.ID, info.principal.name); err != nil {
			return err
		}
		info.count = 1
		after, err := service.Status(ctx, status.ID)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, after)
	})
}

// postPauseAll holds everything at the next claim.
func (s *Server) postPauseAll(w http.ResponseWriter, r *http.Request) error {
	service, err := s.campaignService()
	if err != nil {
		return err
	}
	info := requestOf(r.Context())
	paused, err := service.PauseAll(context.WithoutCancel(r.Context()), info.principal.name)
	if err != nil {
		return err
	}
	info.count = int64(paused)
	return writeJSON(w, http.StatusOK, map[string]int{"paused": paused})
}

// campaignProblem is the problem of what the service refused; nil for other errors.
func campaignProblem(err error) *problem {
	if invalid, ok := errors.AsType[*campaign.InvalidError](err); ok {
		p := problemf(problemInvalidCampaign, "errors says what is wrong and where.")
		p.rejected = len(invalid.Problems)
		for _, fault := range invalid.Problems[:min(p.rejected, listedErrorsMax)] {
			p.faults = append(p.faults, campaignFault{fault.Line, fault.Field, fault.Text})
		}
		return p
	}
	if conflict, ok := errors.AsType[*campaign.ConflictError](err); ok {
		return problemf(problemConflict, "%s", sentence(conflict.Error()))
	}
	if errors.Is(err, campaign.ErrNotFound) {
		return problemf(problemNotFound, "%s", sentence(err.Error()))
	}
	return nil
}

// campaignFault is one thing that is wrong with a campaign.
type campaignFault struct {
	Line   int    `json:"line,omitempty"`  // of the file, from 1
	Field  string `json:"field,omitempty"` // "template.parameters.1"
	Detail string `json:"detail"`
}
