-- The sample source: the tables of four source systems that the shipped source files declare, empty.
-- Loaded by the PostgreSQL image at its first start, and by the end-to-end tests. Times carry their zone;
-- every table has upd_at, the moment of the row's last change.
create schema mkt;   -- marketing system
create schema lean;  -- provincial lean control platform
create schema ymd;   -- marketing, distribution and dispatch integration platform
create schema ech;   -- electronic channels

create table mkt.mkt_app (
    app_no text primary key, cons_no text, cust_name text, cust_mobile text, org_no text, app_type text,
    volt_class text, volt_level_code text, source_count int, apply_cap_kva int, tg_no text, line_no text,
    subs_no text, mgr_no text, accepted_at timestamptz, status_code text, archived_at timestamptz,
    upd_at timestamptz, orig_cap_kva numeric(12, 2), total_cap_kva numeric(12, 2), industry_code text,
    channel_code text, addr text, req_energise_at date, parent_app_no text
);
create table mkt.mkt_app_progress (
    progress_id bigint primary key, app_no text, stage_code text, visit_no int, dept_code text, handler_no text,
    entered_at timestamptz, finished_at timestamptz, result_code text, suspend_from timestamptz,
    suspend_to timestamptz, suspend_reason text, remark text, upd_at timestamptz
);
create table mkt.mkt_cons (
    cons_no text primary key, cust_name text, mobile text, addr text, cons_type text, volt_class text, tg_no text,
    line_no text, contract_cap_kva int, tariff_code text, status_code text, open_date date, bank_acct_no text,
    pay_method text, upd_at timestamptz
);
create table mkt.mkt_cust_prj (
    prj_no text primary key, app_no text, cons_no text, design_unit_no text, build_unit_no text, test_unit_no text,
    supervise_unit_no text, design_submit_at timestamptz, design_pass_at timestamptz, build_start_at timestamptz,
    mid_inspect_at timestamptz, report_done_at timestamptz, status_code text, upd_at timestamptz
);
create table mkt.tg_manager (
    tg_no text primary key, mgr_no text, mgr_name text, mobile text, sup_method text, valid_from timestamptz,
    valid_to timestamptz, upd_at timestamptz
);
create table mkt.customer_manager (
    mgr_no text primary key, mgr_name text, org_no text, mobile text, mail text, sup_method text,
    valid_from timestamptz, valid_to timestamptz, upd_at timestamptz
);
create table mkt.stakeholder (
    stakeholder_id bigint primary key, app_no text, prj_no text, role text, person_no text, person_name text,
    dept_code text, org_no text, mobile text, mail text, valid_from timestamptz, valid_to timestamptz,
    upd_at timestamptz
);
create table lean.lean_neg_trans (
    nl_no text primary key, org_no text, org_name text, trans_name text, trans_no text, tg_no text,
    determined_at timestamptz, plan_finish_at date, limit_level text, rated_kva int, max_load_rate numeric(6, 4),
    published_at timestamptz, cleared_at timestamptz, upd_at timestamptz
);
create table lean.lean_neg_line (
    nl_no text primary key, org_no text, org_name text, line_name text, line_no text, determined_at timestamptz,
    plan_finish_at date, limit_level text, rated_amp int, max_load_rate numeric(6, 4), published_at timestamptz,
    cleared_at timestamptz, upd_at timestamptz
);
create table lean.lean_prj_schedule (
    prj_no text primary key, plan_start date, plan_finish date, actual_start date, actual_finish date,
    duration_days int, upd_at timestamptz
);
create table ymd.ymd_org (
    org_no text primary key, org_name text, parent_org_no text, org_level text, valid_from timestamptz,
    valid_to timestamptz, upd_at timestamptz
);
create table ymd.ymd_line (
    line_no text primary key, line_name text, subs_no text, bay_no text, org_no text, rated_amp int,
    upd_at timestamptz
);
create table ymd.ymd_tg (
    tg_no text primary key, tg_name text, trans_no text, line_no text, org_no text, rated_kva int,
    is_public boolean, upd_at timestamptz
);
create table ymd.ymd_subs (
    subs_no text primary key, subs_name text, org_no text, volt_level_code text, upd_at timestamptz
);
create table ymd.ymd_bus (
    bus_no text primary key, subs_no text, bus_name text, volt_level_code text, upd_at timestamptz
);
create table ymd.ymd_bay (
    bay_no text primary key, bus_no text, bay_name text, is_spare boolean, line_no text, upd_at timestamptz
);
create table ymd.ymd_cons_tg (
    cons_no text primary key, tg_no text, line_no text, meter_box_no text, valid_from timestamptz,
    valid_to timestamptz, upd_at timestamptz
);
create table ech.ech_works_report (
    report_no text primary key, app_no text, party text, unit_no text, report_type text, content text,
    file_ref text, submitted_at timestamptz, reviewed_by text, review_result text, reviewed_at timestamptz,
    upd_at timestamptz
);

-- With its whole row in the log, a delete names its instance and a changed key shows both sides.
alter table mkt.mkt_app replica identity full;
alter table mkt.mkt_app_progress replica identity full;
