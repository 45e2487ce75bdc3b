"""XML of other programs, read without what could do harm, whatever the namespace."""

from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cvtasks.errors import DataError


def parsed_xml(content: bytes, name: str) -> Element:
    """The root element of a file.

    Raises:
        DataError: it is no whole XML, or declares a document type or entities.
    """
    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(
            f"an annotation must not declare a document type or entities; {name!r} does. Remove "
            "them.",
            "XML",
        ) from error
    except (
        ParseError,
        LookupError,
        ValueError,
    ) as error:  # LookupError, ValueError: an encoding that does not exist
        raise DataError(
            f"an annotation must be whole, correct XML; {name!r} is not: {error}. Write it again.",
            "XML",
        ) from error


def tag_of(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def child_of(element: Element, tag: str) -> Element | None:
    """The first child of that name, in any namespace."""
    return next((child for child in element if tag_of(child) == tag), None)


def text_of(element: Element, tag: str) -> str:
    """The text of the first child of that name; empty where there is none."""
    child = child_of(element, tag)
    return "" if child is None else (child.text or "").strip()
