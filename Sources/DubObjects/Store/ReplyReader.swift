internal import Foundation
internal import FoundationXML

/// An element of a store's answer in XML.
final class ReplyElement {
    let name: String
    fileprivate(set) var text = ""
    fileprivate(set) var children: [ReplyElement] = []

    init(name: String) {
        self.name = name
    }

    /// The text of the first element of that name, at any depth.
    func first(_ name: String) -> String? {
        if self.name == name { return text }
        for child in children {
            if let found = child.first(name) { return found }
        }
        return nil
    }

    /// The text of a child; `nil` where there is none.
    func child(_ name: String) -> String? { children.first { $0.name == name }?.text }
}

/// Reads answers in XML, as S3 and STS give them.
final class ReplyReader: NSObject, XMLParserDelegate {
    private var open: [ReplyElement] = [ReplyElement(name: "")]

    /// The elements under a nameless root; those before the fault where it is no XML.
    static func read(_ data: Data) -> ReplyElement {
        let reader = ReplyReader()
        let root = reader.open[0]
        guard !data.isEmpty else { return root }
        let parser = XMLParser(data: data)
        parser.delegate = reader
        // Nothing outside the answer is fetched, whatever it declares.
        parser.shouldResolveExternalEntities = false
        _ = parser.parse()
        return root
    }

    func parser(
        _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
        qualifiedName qName: String?, attributes attributeDict: [String: String] = [:]
    ) {
        let element = ReplyElement(name: String(elementName.split(separator: ":").last ?? ""))
        open.last?.children.append(element)
        open.append(element)
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { open.last?.text += string }

    func parser(
        _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName qName: String?
    ) {
        if open.count > 1 { open.removeLast() }
    }
}
