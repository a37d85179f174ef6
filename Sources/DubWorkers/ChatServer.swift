public import DubCore
internal import Foundation

/// A server of OpenAI's chat protocol whose model translates; the worker of this machine asks it.
public struct ChatServer: Hashable, Sendable {
    /// The root of its URLs, such as `https://host/v1`.
    public var url: String
    /// The model's name there, and in dubmill.
    public var model: String
    /// What opens it.
    public var key: WorkerToken?

    /// Names a server. What is wrong with its address the worker says when it starts.
    public init(url: String, model: String, key: WorkerToken? = nil) {
        self.url = url
        self.model = model
        self.key = key
    }

    /// What the worker's prompts have names for (`NAMES` in translation/languages.py).
    public static let languages = [
        "ar", "ca", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "vi", "zh",
    ]

    /// The worker's arguments for it.
    var arguments: [String] { ["--chat-url", url, "--chat-model", model] }

    /// As a catalogue lists it: with another address it is another model.
    var entry: CatalogueModel {
        CatalogueModel(
            name: model, tasks: [.translate], engine: "chat", languages: Self.languages, pairs: [], licence: "",
            files: [.init(path: url, sha256: Digest.of("\(url)\n\(model)").hex)], source: "bundled", isDefault: false,
            isDraft: false, isInstallable: true, revision: 1, purpose: "translate, by \(url)", notes: "")
    }
}

extension ModelCatalogue {
    /// Adds the model of a server.
    ///
    /// - Throws: `catalogue.malformed` where a model of that name is here.
    public func adding(_ chat: ChatServer) throws(DubError) -> ModelCatalogue {
        guard self[chat.model] == nil else {
            throw DubError(
                .catalogueMalformed, "There is a model called \(chat.model) already.", at: chat.url,
                fix: "Give the server's model another name there.")
        }
        return ModelCatalogue(models: models + [chat.entry])
    }
}
