"""Tiny, randomly initialised checkpoints of other people's pipelines: their real classes, saved as the hub keeps them.

What they play is noise; what goes in, how long it is and when it stops is as with the real weights.
"""

import string
from pathlib import Path

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    AutoencoderOobleck,
    DDIMScheduler,
    DiffusionPipeline,
    EDMDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    IPNDMScheduler,
    PNDMScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
    StableAudioProjectionModel,
    StableDiffusionPipeline,
    UNet1DModel,
    UNet2DConditionModel,
)
from diffusers.models.autoencoders.autoencoder_same import AutoencoderSAME
from diffusers.models.transformers.transformer_stable_audio3 import StableAudio3DiTModel
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline
from diffusers.pipelines.deprecated.dance_diffusion.pipeline_dance_diffusion import DanceDiffusionPipeline
from diffusers.pipelines.deprecated.musicldm.pipeline_musicldm import MusicLDMPipeline
from diffusers.pipelines.stable_audio_3.modeling_stable_audio_3 import StableAudio3DurationEmbedder
from diffusers.pipelines.stable_audio_3.pipeline_stable_audio_3 import StableAudio3Pipeline
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    EncodecConfig,
    EncodecFeatureExtractor,
    GemmaTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenProcessor,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5GemmaConfig,
    T5GemmaEncoderModel,
    T5Tokenizer,
)

LETTERS = [*string.printable.strip(), "▁"]
BYTES = sorted(ByteLevel.alphabet())


def riffusion(folder: Path) -> Path:
    torch.manual_seed(1)
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *BYTES, *(f"{letter}</w>" for letter in BYTES)]
    tokenizer = CLIPTokenizer(vocab=_numbered(vocabulary), merges=[], model_max_length=77)
    text = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, projection_dim=16, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8, 8), layers_per_block=1, sample_size=64, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"), mid_block_type=None,
        cross_attention_dim=16, attention_head_dim=4, norm_num_groups=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), norm_num_groups=2, latent_channels=4, mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionPipeline(
        vae, CLIPTextModel(text), tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )
    return _saved(pipeline, folder)


def dance_diffusion(folder: Path) -> Path:
    torch.manual_seed(2)
    unet = UNet1DModel(
        sample_size=32_768, sample_rate=16_000, in_channels=2, out_channels=2, extra_in_channels=16,
        block_out_channels=(8, 8, 8, 8, 8, 32, 32), layers_per_block=1, use_timestep_embedding=False,
        time_embedding_type="fourier", flip_sin_to_cos=True, mid_block_type="UNetMidBlock1D",
        down_block_types=("DownBlock1DNoSkip", *("DownBlock1D",) * 5, "AttnDownBlock1D"),
        up_block_types=("AttnUpBlock1D", *("UpBlock1D",) * 5, "UpBlock1DNoSkip"),
    )  # fmt: skip
    return _saved(DanceDiffusionPipeline(unet, IPNDMScheduler()), folder)


def stable_audio(folder: Path) -> Path:
    torch.manual_seed(3)
    tokenizer = _t5_tokenizer()
    transformer = StableAudioDiTModel(
        sample_size=128, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        num_key_value_attention_heads=2, cross_attention_dim=16, cross_attention_input_dim=16,
        time_proj_dim=8, global_states_input_dim=32,
    )  # fmt: skip
    vae = AutoencoderOobleck(
        encoder_hidden_size=8, decoder_channels=8, decoder_input_channels=4, channel_multiples=[1, 1, 1],
        downsampling_ratios=[8, 16, 16], sampling_rate=16_000,
    )  # fmt: skip
    pipeline = StableAudioPipeline(
        vae,
        T5EncoderModel(_t5(tokenizer)),
        StableAudioProjectionModel(text_encoder_dim=16, conditioning_dim=16, min_value=0, max_value=512),
        tokenizer,
        transformer,
        EDMDPMSolverMultistepScheduler(
            sigma_min=0.3, sigma_max=500, sigma_data=1.0, sigma_schedule="exponential",
            prediction_type="v_prediction",
        ),
    )  # fmt: skip
    return _saved(pipeline, folder)


def stable_audio_3(folder: Path, *, distilled: bool = True) -> Path:
    torch.manual_seed(4)
    vocabulary = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *LETTERS]
    tokenizer = GemmaTokenizer(vocab=_numbered(vocabulary), merges=[], model_max_length=128)
    stack = {
        "vocab_size": len(vocabulary), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
    }  # fmt: skip
    transformer = StableAudio3DiTModel(
        io_channels=4, embed_dim=16, depth=1, num_heads=2, cond_token_dim=16, global_cond_dim=16,
        local_add_cond_dim=5, timestep_features_dim=8, num_memory_tokens=2,
    )  # fmt: skip
    vae = AutoencoderSAME(
        patch_size=256, encoder_channels=8, encoder_c_mults=(2,), encoder_strides=(16,),
        encoder_transformer_depths=(1,), latent_dim=4, dim_heads=8, ff_mult=1,
    )  # fmt: skip
    pipeline = StableAudio3Pipeline(
        vae,
        T5GemmaEncoderModel(
            T5GemmaConfig(encoder=stack, decoder=stack, is_encoder_decoder=False, vocab_size=len(vocabulary))
        ),
        tokenizer,
        StableAudio3DurationEmbedder(output_dim=16, fourier_dim=8),
        transformer,
        FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, stochastic_sampling=distilled),
    )
    return _saved(pipeline, folder)


def ace_step(folder: Path, *, turbo: bool = False) -> Path:
    torch.manual_seed(5)
    vocabulary = ["<|endoftext|>", *BYTES]
    tokenizer = Qwen2Tokenizer(vocab=_numbered(vocabulary), merges=[], model_max_length=512)
    text_encoder = Qwen3Model(
        Qwen3Config(
            vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        )
    )  # fmt: skip
    shape = {
        "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 8, "sliding_window": 16,
    }  # fmt: skip
    transformer = AceStepTransformer1DModel(
        **shape, num_hidden_layers=2, in_channels=12, audio_acoustic_hidden_dim=4, is_turbo=turbo
    )
    conditions = AceStepConditionEncoder(
        **shape, text_hidden_dim=16, timbre_hidden_dim=4, num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
    )  # fmt: skip
    vae = AutoencoderOobleck(
        encoder_hidden_size=8, decoder_channels=8, decoder_input_channels=4, channel_multiples=[1, 1, 1],
        downsampling_ratios=[8, 8, 10], sampling_rate=16_000,
    )  # fmt: skip
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
    pipeline = AceStepPipeline(vae, text_encoder, tokenizer, transformer, conditions, scheduler)
    return _saved(pipeline, folder)


def audioldm_2(folder: Path) -> Path:
    torch.manual_seed(6)
    tokenizer, tokenizer_2 = _roberta_tokenizer(), _t5_tokenizer()
    language_model = GPT2LMHeadModel(
        GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=4, n_positions=160, max_new_tokens=4)
    )
    language_model.config.max_new_tokens = 4
    unet = AudioLDM2UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, sample_size=64, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(16, 16),
        attention_head_dim=4, transformer_layers_per_block=1,
    )  # fmt: skip
    pipeline = AudioLDM2Pipeline(
        _mel_vae(),
        _clap(),
        T5EncoderModel(_t5(tokenizer_2)),
        AudioLDM2ProjectionModel(16, 16, 16),
        language_model,
        tokenizer,
        tokenizer_2,
        _clap_features(),
        unet,
        _ddim(),
        _vocoder(),
    )
    return _saved(pipeline, folder)


def musicldm(folder: Path) -> Path:
    torch.manual_seed(7)
    pipeline = MusicLDMPipeline(
        _mel_vae(), _clap(), _roberta_tokenizer(), _clap_features(), _class_unet(), _ddim(), _vocoder()
    )
    return _saved(pipeline, folder)


def audioldm(folder: Path) -> Path:
    torch.manual_seed(8)
    clap = ClapTextModelWithProjection(_clap_text())
    pipeline = AudioLDMPipeline(_mel_vae(), clap, _roberta_tokenizer(), _class_unet(), _ddim(), _vocoder())
    return _saved(pipeline, folder)


def musicgen(folder: Path) -> Path:
    torch.manual_seed(9)
    tokenizer = _t5_tokenizer()
    codec = EncodecConfig(
        sampling_rate=16_000, audio_channels=1, num_filters=4, hidden_size=8, codebook_size=16, codebook_dim=8,
        upsampling_ratios=[8, 8, 5], num_lstm_layers=1, target_bandwidths=[0.8], num_residual_layers=1,
        normalize=False, use_causal_conv=False,
    )  # fmt: skip
    decoder = MusicgenDecoderConfig(
        vocab_size=16, hidden_size=16, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2, num_codebooks=4,
        pad_token_id=16, bos_token_id=16, initializer_factor=1.0,
    )  # fmt: skip
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=_t5(tokenizer), audio_encoder=codec, decoder=decoder)
    )
    model.generation_config.update(
        decoder_start_token_id=16, pad_token_id=16, bos_token_id=16, do_sample=True, guidance_scale=3.0
    )
    _liven(model)
    model.save_pretrained(folder)
    MusicgenProcessor(EncodecFeatureExtractor(sampling_rate=16_000), tokenizer).save_pretrained(folder)
    return folder


def _saved(pipeline: DiffusionPipeline, folder: Path) -> Path:
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            _liven(part)
    pipeline.save_pretrained(folder)
    return folder


def _liven(module: torch.nn.Module) -> None:
    """Weights that let everything through: as they are initialised, much of what goes in does not reach the sound."""
    with torch.no_grad():
        for name, values in [*module.named_parameters(), *module.named_buffers()]:
            if name.endswith("weight_g"):
                values.fill_(1.0)
            elif values.ndim > 1 and values.is_floating_point():
                values.normal_(std=values[0].numel() ** -0.5)
            elif values.is_floating_point() and not values.any():
                values.normal_(std=0.1)


def _numbered(vocabulary: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(vocabulary)}


def _t5_tokenizer() -> T5Tokenizer:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=128)


def _t5(tokenizer: T5Tokenizer) -> T5Config:
    return T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
    )


def _roberta_tokenizer() -> RobertaTokenizer:
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES]
    return RobertaTokenizer(vocab=_numbered(vocabulary), merges=[], model_max_length=96)


def _clap_text() -> ClapTextConfig:
    return ClapTextConfig(
        vocab_size=5 + len(BYTES), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=128, projection_dim=16, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip


def _clap() -> ClapModel:
    audio = {
        "hidden_size": 16, "patch_embeds_hidden_size": 4, "depths": [1, 1], "num_attention_heads": [1, 1],
        "num_hidden_layers": 2, "projection_dim": 16, "spec_size": 64, "window_size": 2,
    }  # fmt: skip
    return ClapModel(ClapConfig(text_config=_clap_text().to_dict(), audio_config=audio, projection_dim=16))


def _clap_features() -> ClapFeatureExtractor:
    return ClapFeatureExtractor(feature_size=16, sampling_rate=16_000)


def _mel_vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=1, out_channels=1, block_out_channels=(4, 4, 4), norm_num_groups=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False,
    )  # fmt: skip


def _class_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, sample_size=64, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(8, 16), attention_head_dim=4,
        norm_num_groups=4, class_embed_type="simple_projection", projection_class_embeddings_input_dim=16,
        class_embeddings_concat=True,
    )  # fmt: skip


def _ddim() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
        set_alpha_to_one=False,
    )  # fmt: skip


def _vocoder() -> SpeechT5HifiGan:
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=16, sampling_rate=16_000, upsample_initial_channel=8, upsample_rates=[5, 4, 8],
            upsample_kernel_sizes=[10, 8, 16], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]],
            normalize_before=False,
        )
    )  # fmt: skip
