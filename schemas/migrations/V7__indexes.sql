-- Indexes for questions of read-api and of the dashboards that went over whole tables. A table that is written in the order of
-- its times has a BRIN, which costs its writer nothing; a question about one application or one tenant has a B-tree.

-- The replies in the story of one application.
CREATE INDEX replies_of_application ON defaultx.replies (tenant, application_id, replied_at DESC);
-- The list by outcome: without it, a rare outcome means a look at every application of the tenant.
CREATE INDEX decisions_by_outcome ON defaultx.decisions (tenant, outcome, received_at DESC);
-- The newest decision of a tenant, also of one that has sent nothing for months.
CREATE INDEX decisions_newest ON defaultx.decisions (tenant, decided_at DESC);
-- Undecided applications of a period, over all tenants.
CREATE INDEX applications_received ON defaultx.applications USING brin (received_at);
-- What was set aside in the last day.
CREATE INDEX dead_letters_set_aside ON defaultx.dead_letters USING brin (set_aside_at);
