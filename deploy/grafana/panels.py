"""Pieces of a Grafana 11 dashboard: panels of a few kinds, their targets, and a grid that fills itself."""

PROMETHEUS = {"type": "prometheus", "uid": "defaultx-prometheus"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "defaultx-postgres"}
GREEN, YELLOW, RED = "green", "yellow", "red"
COLUMNS = 24


def zero(expr: str) -> str:
    """The query, or 0 where nothing was ever counted: a panel says 0, not "No data"."""
    return f"{expr} or on() vector(0)"


def prom(expr: str, legend: str = "", instant: bool = False) -> dict:
    return {
        "datasource": PROMETHEUS,
        "expr": expr,
        "legendFormat": legend or "__auto",
        "range": not instant,
        "instant": instant,
        **({"format": "table"} if legend == "table" else {}),
    }


def sql(query: str, series: bool = False) -> dict:
    lines = [line.rstrip() for line in query.strip().splitlines()]
    return {
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": "time_series" if series else "table",
        "rawQuery": True,
        "rawSql": "\n".join(lines),
    }


def thresholds(*steps) -> dict:
    """`thresholds(GREEN, (5, YELLOW), (60, RED))`: the colour below the first edge, then edges."""
    base, *edges = steps or (GREEN,)
    rows = [{"color": base, "value": None}] + [{"color": color, "value": at} for at, color in edges]
    return {"mode": "absolute", "steps": rows}


def field(name: str, unit: str = "", label: str = "", **more) -> dict:
    """Properties of one column."""
    properties = []
    if unit:
        properties.append({"id": "unit", "value": unit})
    if label:
        properties.append({"id": "displayName", "value": label})
    properties += [{"id": key.replace("__", "."), "value": value} for key, value in more.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def panel(kind: str, title: str, description: str, targets, width: int, height: int = 8, unit: str = "short", **more):
    targets = targets if isinstance(targets, list) else [targets]
    targets = [{"refId": chr(ord("A") + n), **target} for n, target in enumerate(targets)]
    custom = more.pop("custom", {})
    defaults = {"unit": unit, "thresholds": more.pop("steps", thresholds()), "custom": custom, "mappings": []}
    for key in ("min", "max", "decimals", "mappings", "color", "links", "noValue"):
        if key in more:
            defaults[key] = more.pop(key)
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": targets[0]["datasource"],
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": more.pop("options", {}),
        "gridPos": {"w": width, "h": height},
        **more,
    }


def stat(title, description, targets, width=4, unit="short", **more):
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": more.pop("text", "auto"),
        "wideLayout": True,
    }
    height = more.pop("height", 4)
    return panel("stat", title, description, targets, width, height, unit, options=options, **more)


def lines(title, description, targets, width=8, unit="short", stack=False, marks=False, **more):
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 60 if stack else 8,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "showPoints": "auto",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "line" if marks else "off"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    custom.update(more.pop("custom", {}))
    return panel("timeseries", title, description, targets, width, unit=unit, custom=custom, options=options, **more)


def bars(title, description, target, x, width=8, unit="short", horizontal=False, stack="none", **more):
    options = {
        "xField": x,
        "orientation": "horizontal" if horizontal else "vertical",
        "stacking": stack,
        "showValue": "auto",
        "groupWidth": 0.8,
        "barWidth": 0.95,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
        "xTickLabelSpacing": 60,
    }
    custom = {"fillOpacity": 70, "lineWidth": 1}
    return panel("barchart", title, description, target, width, unit=unit, custom=custom, options=options, **more)


def table(title, description, target, width=12, **more):
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
    return panel("table", title, description, target, width, custom=custom, options=options, **more)


def gauge_cell() -> dict:
    return {"custom__cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0, "max": 1}


def laid_out(groups) -> list:
    """Panels with ids and places; each group begins with a row that carries its title."""
    placed, y, number = [], 0, 1
    for title, panels in groups:
        row = {"type": "row", "title": title, "collapsed": False, "panels": []}
        placed.append({**row, "id": number, "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for item in panels:
            size = item["gridPos"]
            if x + size["w"] > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed.append({"id": number, **item, "gridPos": {"x": x, "y": y, **size}})
            number, x, tallest = number + 1, x + size["w"], max(tallest, size["h"])
        y += tallest
    return placed


def dashboard(uid, title, description, groups, variables, annotations, since, refresh, links):
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["defaultx"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "links": links,
        "annotations": {"list": annotations},
        "templating": {"list": variables},
        "panels": laid_out(groups),
    }


def link_to(title: str, uid: str) -> dict:
    return {"title": title, "type": "link", "url": f"/d/{uid}", "keepTime": True, "icon": "dashboard", "tags": []}
