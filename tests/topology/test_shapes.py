"""Roles are read from their sources, never imported."""

import pytest
from role_sources import read_source

from orchestrator.topology.shapes import BUILT_IN, RoleError, role_shape
from orchestrator.topology.wiring import ParamShape, PortShape


def test_ports_and_params_are_read_from_the_class():
    shape = role_shape("mine:Thinner", read_source)
    assert shape.ports == {"frames": PortShape(kind="PULL"), "thin": PortShape(kind="PUSH", optional=True)}
    assert shape.params == {
        "keep": ParamShape(annotation="int", required=True),
        "within": ParamShape(annotation="Duration"),
        "limit": ParamShape(annotation="int | None"),
    }
    assert shape.source is True
    assert shape.family == ""


def test_a_port_may_be_named_otherwise_than_its_attribute():
    shape = role_shape("subscriber", read_source)
    assert list(shape.ports) == ["updates"]
    assert "updates" in shape.params


def test_bases_are_followed_through_imports():
    shape = role_shape("pkg.inner:Inner", read_source)
    assert list(shape.params) == ["keep", "within", "limit", "extra"]


def test_a_role_derived_from_a_built_in_one_is_of_its_family():
    shape = role_shape("mine:Faster", read_source)
    assert (shape.family, list(shape.ports), list(shape.params)) == (
        "worker",
        ["tasks", "results"],
        ["call", "speed"],
    )


def test_a_subclass_may_put_another_socket_in_place():
    assert role_shape("mine:Fastest", read_source).ports["results"].kind == "DEALER"


@pytest.mark.parametrize("role", BUILT_IN)
def test_every_built_in_role_can_be_read(role):
    shape = role_shape(role, read_source)
    assert shape.family == role
    assert shape.ports


@pytest.mark.parametrize("role", ["ventilator", "publisher", "client"])
def test_built_in_sources_begin_streams(role):
    assert role_shape(role, read_source).source is True


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("mine:Circle", "in a circle"),
        ("circle:Round", "in a circle"),
        ("mine:", "cannot read the role"),
        ("../mine:Thinner", "cannot read the role"),
        ("mine:Plain", "is no role"),
        ("mine:Missing", "there is no class"),
        ("broken:Role", "line 1"),
        ("nowhere:Role", "cannot find the source"),
    ],
)
def test_what_is_no_role_is_refused(role, said):
    with pytest.raises(RoleError, match=said):
        role_shape(role, read_source)
